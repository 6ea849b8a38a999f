"""Benches: the whole of Firstline at work, measured, and broken on purpose.

turns   whole turns through real NLU and PostgreSQL: how many a second, and where the time goes
system  a whole Firstline as processes of its own between stand-in messengers, for the benches beside it
faults  customers write while processes are killed: nothing lost, nothing doubled, in order. `people` write and reply,
        `monkey` kills, `troubles` are the messengers', `shop` is what they talk about; `ledger`, `evidence` and `sums`
        tell whether every promise was kept
"""
