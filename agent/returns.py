"""The lambda-return (section 2.3, equation 4)."""

import torch
from torch import Tensor


def lambda_return(
    reward: Tensor, value: Tensor, discount: Tensor, bootstrap: Tensor, lambda_: float
) -> Tensor:
    """V_t = r_t + d_t ((1 - lambda) v_{t+1} + lambda V_{t+1}), with V_H = v_H = bootstrap.

    reward, value, discount (H, ...), bootstrap (...), result (H, ...).

        states   s0  s1  s2 [s3]
        rewards  r0  r1  r2          reward of arriving in the state
        discount d0  d1  d2          whether the next state counts
        values   v0  v1  v2 [v3]     v3 = bootstrap; v0 is not read
        targets  V0  V1  V2
    """
    following = torch.cat([value[1:], bootstrap.unsqueeze(0)])
    inputs = reward + discount * following * (1 - lambda_)
    returns, last = [], bootstrap
    weights = (discount * lambda_).unbind()
    for now, weight in zip(reversed(inputs.unbind()), reversed(weights), strict=True):
        last = torch.addcmul(now, weight, last)
        returns.append(last)
    return torch.stack(returns[::-1])
