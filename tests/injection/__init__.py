"""What customers write to be obeyed: a corpus, the places where it fits, and what must not follow from it."""
