"""The folder of everything that a run leaves behind."""

from pathlib import Path

from launcher.errors import LauncherError


def make_state_folder(state: Path) -> Path:
    """Ours alone: it holds secrets and customers' messages."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        (state / "logs").mkdir(exist_ok=True)
    except OSError as error:
        raise LauncherError(
            f"The state folder {state} cannot be made ({error.strerror}): set ELDOLEADO_STATE to another one."
        ) from error
    return state.resolve()
