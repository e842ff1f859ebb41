"""What all detectors share: the one loop that scores images."""
