"""What the five notebooks are called."""

DATA, VLM, EXPERT = "01_data_construction", "02_vlm_dpo", "03_expert_lora"
FUSION, ANALYSIS = "04_fusion", "05_analysis"
