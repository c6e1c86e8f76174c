"""Data, synthetic cheques and training of the recognizers; the service never imports this."""
