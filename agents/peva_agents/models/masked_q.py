"""A Q-network that masks known configurations: DQN has no masks of its own, but its observation holds the map.

An action for a known configuration changes nothing, so its value is nearly that of the state, and plain DQN spends its
steps on such actions. With this network neither the choice of an action nor the value of the next state considers them.
"""

from typing import Any

from stable_baselines3.dqn.policies import MultiInputPolicy, QNetwork

_KNOWN_VALUE = -2.0
"""The value of an action for a known configuration: below any return of an episode, but of the same magnitude."""


class MaskedQNetwork(QNetwork):
    """Gives actions for known configurations a value below all others."""

    def forward(self, obs: Any) -> Any:
        """Return the value of each action, (n, N)."""
        return super().forward(obs).masked_fill(obs["map"] != 0, _KNOWN_VALUE)


class MaskedDQNPolicy(MultiInputPolicy):
    """The policy of DQN with a masked Q-network."""

    def make_q_net(self) -> MaskedQNetwork:
        """Return a new network; DQN asks for two, the learned one and its target."""
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        network: MaskedQNetwork = MaskedQNetwork(**arguments).to(self.device)
        return network
