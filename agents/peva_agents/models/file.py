"""Models in files: how they were trained, and the policies in them.

A model's file is never unpickled, because unpickling runs any code that a file holds. Its plain data and its weights
are read, and this package builds the policy.
"""

import importlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from peva_agents.models.algorithms import policy_class, require_sb3
from peva_agents.models.candidate_scores import CandidateScores
from peva_agents.models.view import MAP_VIEW, require_view
from peva_env.errors import PolicyLoadError
from peva_env.observation import Observation, observation_space
from peva_env.space import ConfigSpace
from peva_env.system import replacing
from peva_env.views import CANDIDATES, MAP

type Noise = Callable[[tuple[int, ...]], NDArray[np.float64]]

ARTEFACT = "peva"
"""The attribute of a model, and the key in its file, that holds how it was trained."""

_SCORES = "scores.npz"
"""The entry of a model's file that holds the network that scores candidates."""

_REMOVE = "remove it to go on from the checkpoint before"


def artefact(path: Path) -> dict[str, Any]:
    """Return how the model in a file was trained.

    Raises:
        PolicyLoadError: the file does not exist, is not a model of ``peva-env train``, or sees what this version does
            not show.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise PolicyLoadError(f"{path}: is no file; peva-env train writes model.zip")
    try:
        with zipfile.ZipFile(path) as archive:
            found: dict[str, Any] = json.loads(archive.read("data"))[ARTEFACT]
            told = {key: found[key] for key in ("config", "space", "versions", "steps", "net_arch")}
            told["view"] = dict(found.get("view", MAP_VIEW))
            told["config"]["algo"], told["config"]["dominance"]  # what playing needs
    except FileNotFoundError:
        raise PolicyLoadError(f"{path}: there is no such model; peva-env train writes model.zip") from None
    except Exception as error:  # of a damaged file zipfile, zlib and json raise errors of many kinds
        raise PolicyLoadError(f"{path}: is no model that peva-env train wrote: {error!r}") from error
    require_view(path, told["view"])
    return told


def load_scores(path: Path) -> CandidateScores:
    """Return the network of a model that sees candidates; PyTorch is not needed.

    Raises:
        PolicyLoadError: the file does not exist, or holds no such network.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_SCORES) as file:
            return CandidateScores(np.load(io.BytesIO(file.read()), allow_pickle=False))
    except Exception as error:  # likewise, and NumPy
        raise PolicyLoadError(f"{path}: its network cannot be loaded: {' '.join(str(error).split())[:200]}") from error


def load_policy(path: Path, space: ConfigSpace) -> Any:
    """Build the policy of a model that sees the map, without unpickling anything.

    Raises:
        PolicyLoadError: the weights cannot be loaded into the policy.
    """
    require_sb3()
    found = artefact(path)
    policy = policy_class(found["config"]["algo"], MAP)(
        observation_space(space, with_map=True),
        spaces.Discrete(space.n_configs),
        lambda _: 0.0,
        net_arch=found["net_arch"],
        optimizer_class=_NoOptimizer,
    )
    load_weights(policy, path)
    policy.set_training_mode(False)
    return policy


class _NoOptimizer:
    """Stands in for the optimizer of a policy that only plays: PyTorch imports its compiler for the first real one."""

    def __init__(self, *_: Any, **__: Any) -> None: ...


def load_weights(policy: Any, path: Path) -> None:
    """Load the weights of a model's file into a policy, without unpickling anything.

    Raises:
        PolicyLoadError: the weights cannot be loaded into the policy.
    """
    torch: Any = importlib.import_module("torch")
    try:
        with zipfile.ZipFile(path) as archive:
            weights = torch.load(io.BytesIO(archive.read("policy.pth")), map_location="cpu", weights_only=True)
        policy.load_state_dict(weights)
    except Exception as error:
        raise PolicyLoadError(f"{path}: its weights cannot be loaded: {' '.join(str(error).split())[:200]}") from error


def gumbel(seed: int) -> Noise:
    """Return what draws Gumbel noise: the best of logits with this noise is an action drawn by their probabilities."""
    rng = np.random.default_rng(seed)
    return lambda shape: rng.gumbel(size=shape)


def best_legal(
    policy: Any, observation: Observation, masks: NDArray[Any], noise: Noise | None = None
) -> NDArray[np.int64]:
    """Return the best legal action of each of ``n`` environments, (n,), given their masks (n, N) or (n, K).

    The best action has the highest probability for PPO, and the highest value for DQN. Known configurations are never
    measured again, even if the algorithm learned without masks. ``noise`` is added to the scores: see ``gumbel``.
    """
    torch: Any = importlib.import_module("torch")
    with torch.no_grad():
        tensors, _ = policy.obs_to_tensor(observation)
        if hasattr(policy, "q_net"):
            scores = policy.q_net(tensors)
        else:
            scores = policy.get_distribution(tensors).distribution.logits
    found = scores.cpu().numpy()
    noisy = found if noise is None else found + noise(found.shape)
    chosen: NDArray[np.int64] = np.where(masks, noisy, -np.inf).argmax(axis=1)
    return chosen


def restore(model: Any, path: Path, config: Mapping[str, Any]) -> int:
    """Load the weights and the optimizer of a checkpoint into a model; return the number of steps it had done.

    Args:
        model: of the training that goes on.
        path: of the checkpoint.
        config: the settings of that training, as plain data.

    Raises:
        PolicyLoadError: the checkpoint is damaged, or that of another training.
    """
    try:
        found = artefact(path)
        for name, was in found["config"].items():
            if config.get(name, was) != was:
                raise PolicyLoadError(f"{path}: is of a training with {name} = {was!r}, not {config[name]!r}")
        steps = int(found["steps"])
        model.set_parameters(str(path), device="cpu")
    except PolicyLoadError as error:
        raise PolicyLoadError(f"{error}; {_REMOVE}") from error
    except Exception as error:  # stable-baselines3 and PyTorch have errors of many kinds for it
        why = " ".join(str(error).split())[:200]
        raise PolicyLoadError(f"{path}: cannot be loaded: {why}; {_REMOVE}") from error
    model.num_timesteps = steps
    return steps


def save(model: Any, path: Path, described: Mapping[str, Any]) -> None:
    """Write a model and how it was trained, aside first, so that a file of that name is always whole."""
    setattr(model, ARTEFACT, {**described, "steps": int(model.num_timesteps)})
    with replacing(path) as partial:
        model.save(str(partial))
        if described["view"]["name"] == CANDIDATES:
            _add_scores(partial, model.policy)


def _add_scores(path: Path, policy: Any) -> None:
    """Add the network that scores candidates to a model's file as plain arrays."""
    network = importlib.import_module("peva_agents.models.candidate_network").scores_of(policy)
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(_SCORES, packed.getvalue())
