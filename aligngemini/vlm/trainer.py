"""TRL's trainer, with checkpoints that appear whole."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trl import DPOTrainer

from . import checkpoints


class Trainer(DPOTrainer):
    """TRL's trainer writes a checkpoint in place and deletes the one before; this one writes it elsewhere, then moves
    it, and the one before stays until the next is to be written.
    """

    def _save_checkpoint(self, model, trial) -> None:
        home = Path(self.args.output_dir)
        if self.is_world_process_zero():
            for old in checkpoints.every(home)[1:]:
                shutil.rmtree(old)
        with self._writing_to(home / checkpoints.PART):
            super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()  # each process writes a part
        if self.is_world_process_zero():
            checkpoints.settle(home)
        self.accelerator.wait_for_everyone()

    @contextmanager
    def _writing_to(self, part: Path) -> Iterator[None]:
        home, self.args.output_dir = self.args.output_dir, str(part)
        try:
            yield
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)  # where the disk is full, the room is needed
            raise
        finally:
            self.args.output_dir = home
