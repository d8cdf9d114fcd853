"""A Q-network that knows what is known: DQN has no masks of its own, but the map in its observation is one.

Without it an action that asks for what is known is worth nearly what the state is worth, since it changes nothing, and
DQN spends its steps there. With it neither the choice of an action nor the value of the next state looks at such ones.
"""

from typing import Any

from stable_baselines3.dqn.policies import MultiInputPolicy, QNetwork

_KNOWN_VALUE = -2.0
"""What asking for what is known counts: less than any return of an episode, but not so much less that it drowns it."""


class MaskedQNetwork(QNetwork):
    """Gives what the map says is known a value below all others."""

    def forward(self, obs: Any) -> Any:
        """Return the value of each action, (n, N)."""
        return super().forward(obs).masked_fill(obs["map"] != 0, _KNOWN_VALUE)


class MaskedDQNPolicy(MultiInputPolicy):
    """The policy of DQN with such a network."""

    def make_q_net(self) -> MaskedQNetwork:
        """Return a network of its own; one is learned, the other is its target."""
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        network: MaskedQNetwork = MaskedQNetwork(**arguments).to(self.device)
        return network
