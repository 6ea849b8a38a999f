"""Entity extraction in Rasa's graph: the rules of nlu/text/entities.py on the text as it was sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message

from nlu.text.entities import extract

NOW = "now"
"""Key in a message's metadata: the moment, as ISO 8601, against which «завтра» is read."""


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class RuleEntityExtractor(EntityExtractorMixin, GraphComponent):
    """Finds entities by shape and context words."""

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> RuleEntityExtractor:
        """Make the component, as Rasa's graph asks for it."""
        return cls()

    def process(self, messages: list[Message]) -> list[Message]:
        """Add the entities of each message, positions in the text as it was sent."""
        for message in messages:
            text = message.get(TEXT) or ""
            now = (message.get("metadata") or {}).get(NOW)
            found = [
                {
                    "entity": entity.entity,
                    "value": entity.value,
                    "text": entity.text,
                    "start": entity.start,
                    "end": entity.end,
                    "extractor": type(self).__name__,
                }
                for entity in extract(text, datetime.fromisoformat(now) if now else None)
            ]
            message.set(ENTITIES, (message.get(ENTITIES, []) or []) + found, add_to_output=True)
        return messages
