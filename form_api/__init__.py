"""Public web forms and quizzes: a submission becomes a unified message."""
