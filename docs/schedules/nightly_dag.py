"""Airflow 3: every night the notebooks of one scale by the papermill operator, then what changed."""

from datetime import datetime
from pathlib import Path

import yaml
from airflow import DAG
from airflow.providers.papermill.operators.papermill import PapermillOperator
from airflow.providers.standard.operators.bash import BashOperator

HOME, SCALE = Path("/srv/AlignGemini"), "mini"


def notebook(name: str, **changed: str) -> PapermillOperator:
    """One notebook with the parameters of its recipe, some of them changed."""
    recipe = yaml.safe_load((HOME / "notebooks" / "recipes" / SCALE / f"{name}.yaml").read_text())
    task = "_".join([name, *changed.values()])
    return PapermillOperator(
        task_id=task,
        input_nb=str(HOME / "notebooks" / f"{name}.ipynb"),
        output_nb=f"/tmp/aligngemini_{task}_{{{{ ds }}}}.ipynb",
        kernel_name="aligngemini",
        parameters=recipe | changed,
    )


with DAG("aligngemini", schedule="15 2 * * *", start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=1):
    branches = [
        notebook("02_vlm_dpo", supervision="semantic"),
        notebook("02_vlm_dpo", supervision="mixed"),
        notebook("03_expert_lora", supervision="pixel"),
        notebook("03_expert_lora", supervision="mixed"),
    ]
    compare = BashOperator(task_id="compare", bash_command=f"{HOME}/.venv/bin/aligngemini compare previous latest")
    notebook("01_data_construction") >> branches >> notebook("04_fusion") >> notebook("05_analysis") >> compare
