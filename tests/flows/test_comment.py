"""What an agent reads with a request: nothing has to be asked twice (ESC-07, L2-04 to L2-09)."""

from __future__ import annotations

import pytest

from bot.testing import of_talk

SHOP = {
    "orders": [{"status": "exported", "stage": "line_haul", "expected_arrival": "+3d", "tracking": "80082154312345"}]
}


@pytest.mark.rule("ESC-07", "L2-04", "L2-05", "L2-07", "L2-09")
def test_the_comment_holds_topic_reason_words_order_answers_and_how_the_customer_was_identified() -> None:
    conversation = of_talk({"known": True, "shop": SHOP, "talk": []})
    conversation.take({"say": "где заказ 48213", "as": ["order_status"]})
    conversation.take({"attachment": {"kind": "photo", "name": "box.jpg"}})
    heard = conversation.take({"say": "почему не списали рассрочку за ноябрь", "as": ["fin_installment"]})
    assert heard.handoff is not None
    comment, summary = heard.handoff.comment, heard.handoff.summary
    for piece in (
        "Рассрочка", "новый вопрос о рассрочке", "почему не списали рассрочку за ноябрь", "Мария Петровна",
        "по привязанному аккаунту", "№ 48213", "в пути", "фото", "о каком платеже",
    ):  # fmt: skip
        assert piece in comment
    assert [one["rule"] for one in summary["answered"]][:1] == ["STATUS-01"]
    assert summary["queue"] == "fin_services_l2"
    assert "79990001234" not in comment
    assert set(heard.handoff.rules) >= {"ESC-16"}


@pytest.mark.rule("ESC-14")
def test_several_questions_make_one_transfer_and_the_others_are_noted() -> None:
    conversation = of_talk({"talk": []})
    heard = conversation.take(
        {
            "say": "почему не списалась рассрочка и как поднять объявление",
            "as": [{"fin_installment": "почему не списалась рассрочка"}, {"classifieds": "как поднять объявление"}],
        }
    )
    assert heard.handoff is not None
    assert heard.handoff.queue == "classifieds"
    assert "Чат. Финансовые сервисы 2Л: почему не списалась рассрочка" in heard.handoff.comment
