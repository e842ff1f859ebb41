"""For teachers: exercises that check answers, and the copies of the notebooks for a class."""
