"""Which problems have a compiled form (floor 3); said without numba, which takes a second to import."""

from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.problems.models._dense import DenseSum
from mbsgd_core.problems.models.linear_regression import SquaredSum
from mbsgd_core.problems.models.logistic_regression import LogSum
from mbsgd_core.problems.surfaces.base import SurfaceSum

PARAMETERS = 5_000  # of a network; above it matrix products win


def has_form(total: FiniteSum) -> bool:
    """Whether loops are known for such a problem; a surface may still turn out to be more than arithmetic."""
    if isinstance(total, SurfaceSum):
        return total.draws.device.type == "cpu"
    if isinstance(total, DenseSum):  # one with dropout draws numbers of its own in every update
        return total.x.device.type == "cpu" and not total.dropout and total.parameters <= PARAMETERS
    return isinstance(total, (SquaredSum, LogSum)) and total.x.device.type == "cpu"
