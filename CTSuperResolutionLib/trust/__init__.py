"""Trust: how far a result may be off, predicted from what it shows and calibrated on results whose truth is known."""
