"""Schema migrations, run by `bot.database.migrate`."""
