"""The audit of cues: what gives the class of labelled images away, what stands there twice, and what was left out."""
