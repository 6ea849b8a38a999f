"""Components of Firstline in Rasa's graph; config.yml names them by module and class."""
