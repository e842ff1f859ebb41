"""Papermill's engine; it writes the executed notebook once a second at most, not twice for each cell."""

from typing import Any

from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

NAME, PAUSE = "aligngemini", 1.0  # PAUSE, s: a second of outputs is lost if the command is killed


class Engine(NBClientEngine):
    """Runs the cells as papermill does."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: NotebookExecutionManager, kernel_name: str, **options: Any) -> None:
        """Run the cells. What is to be written sooner than PAUSE after the last time is written the next time; the end
        is always written, by papermill itself.
        """
        write = nb_man.save

        def save(**given: Any) -> None:
            if (nb_man.now() - nb_man.last_save_time).total_seconds() >= PAUSE:
                write(**given)

        nb_man.save = save
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **options)
        finally:
            nb_man.save = write


papermill_engines.register(NAME, Engine)
