"""Reads the training data as Rasa does, and notes on each message which file, so which writer, it came from."""

from __future__ import annotations

from pathlib import Path

from rasa.shared.importers.rasa import RasaFileImporter
from rasa.shared.importers.utils import training_data_from_paths
from rasa.shared.nlu.training_data.training_data import TrainingData

WRITER = "writer"
"""Message attribute: the name of the file (`voice_a`), the same writer's in every group."""


class WriterImporter(RasaFileImporter):
    """Rasa's own importer, file by file; the classifier calibrates itself on writers left out."""

    def get_nlu_data(self, language: str | None = "en") -> TrainingData:
        """Return the messages of all files, each with its writer."""
        parts = []
        for path in sorted(self._nlu_files):
            data = training_data_from_paths([path], language)
            for message in data.training_examples:
                message.set(WRITER, Path(path).stem)
            parts.append(data)
        return TrainingData().merge(*parts)
