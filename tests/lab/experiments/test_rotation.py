"""Learning a rotation: its points and its matrix."""

import pytest
import torch

from colu.lab.experiments import cap_points, rotation_matrix


def test_rotation_is_a_rotation_and_the_cap_is_a_cap():
    q = rotation_matrix(45.0)
    assert torch.allclose(q @ q.T, torch.eye(3, dtype=torch.float64)) and torch.det(q) > 0.999
    points = cap_points(2000, 60.0, torch.Generator().manual_seed(0))
    assert torch.allclose(points.norm(dim=1), torch.ones(2000, dtype=torch.float64))
    # Uniform on the cap: heights are uniform between cos 60 and 1.
    assert points[:, 2].min() >= 0.5 and abs(points[:, 2].mean() - 0.75) < 0.02


def test_a_cap_without_points_is_refused():
    with pytest.raises(ValueError, match="cap is 0"):
        cap_points(3, 0)
