"""People who may write, and a group they are in."""

CUSTOMERS = {"Анна": "79000000002", "Борис": "79000000003", "Марина": "79000000004"}
GROUP = "120363000000000001@g.us"
GROUPS = {GROUP: "Соседи по дому"}
