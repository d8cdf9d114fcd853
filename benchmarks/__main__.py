"""Run the benchmarks that are named: ``python -m benchmarks [space memory import step offline ...]``.

Without a name all of them run but ``memory-million``, ``replay``, ``truth``, ``steps``, ``training``, ``report``,
``rewards``, ``rewards-teach``, ``diff-luck``, ``confirm``, ``refining``, ``scouting``, ``scouted-agents``,
``generators``, ``twin``, ``stop-early`` and ``fleet``, which take longer or need an extra.
"""

import sys

from benchmarks import (
    agents_speed,
    campaign_memory,
    candidate_speed,
    confirm,
    diff_luck,
    fleet,
    generators,
    import_time,
    memory_million,
    memory_speed,
    offline_speed,
    refining,
    replay_speed,
    report_page,
    rewards,
    rewards_teach,
    scouted_agents,
    scouting,
    simulated_speed,
    space_speed,
    step_overhead,
    stop_early,
    training,
    truth,
    twin,
)

_ALL = {
    "space": space_speed.main,
    "memory": memory_speed.main,
    "import": import_time.main,
    "step": step_overhead.main,
    "offline": offline_speed.main,
    "candidates": candidate_speed.main,
    "simulated": simulated_speed.main,
    "agents": agents_speed.main,
}
_LONG = {
    "memory-million": memory_million.main,
    "replay": replay_speed.main,
    "truth": truth.main,
    "steps": campaign_memory.main,
    "training": training.main,
    "report": report_page.main,
    "rewards": rewards.main,
    "rewards-teach": rewards_teach.main,
    "diff-luck": diff_luck.main,
    "generators": generators.main,
    "refining": refining.main,
    "scouting": scouting.main,
    "scouted-agents": scouted_agents.main,
    "confirm": confirm.main,
    "twin": twin.main,
    "stop-early": stop_early.main,
    "fleet": fleet.main,
}

for name in sys.argv[1:] or _ALL:
    (_ALL | _LONG)[name]()
