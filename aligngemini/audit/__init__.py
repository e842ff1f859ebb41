"""The audit of any set of labelled pictures: what was left out, what gives the class away, what stands there twice."""
