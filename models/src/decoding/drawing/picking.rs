//! Takes tokens out of logits on the host: the few likeliest come from the device, a seeded generator draws among them.
//! What must stay true: a row's luck is its own, whatever the temperature and whoever is beside it.

use super::DrawingRules;
use crate::error::{Error, Result};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

/// The place of the drawn one among logits in falling order.
pub(super) fn pick(values: &[f32], rules: &DrawingRules, rng: &mut ChaCha8Rng) -> Result<usize> {
    let first = f64::from(*values.first().unwrap_or(&f32::NAN));
    if !first.is_finite() {
        return Err(Error::format(
            "the language model",
            "its answer is not a number: its weights may be damaged",
        ));
    }
    // drawn in any case, so that a row's luck does not depend on the temperature
    let luck: f64 = rng.random();
    if rules.temperature <= 0.0 {
        return Ok(0);
    }
    let weigh = |&value: &f32| ((f64::from(value) - first) / rules.temperature).exp();
    let total: f64 = values.iter().map(weigh).sum();
    let (mut nucleus, mut sum) = (Vec::new(), 0.0);
    for weight in values.iter().map(weigh) {
        if sum >= rules.top_p * total {
            break;
        }
        sum += weight;
        nucleus.push(sum);
    }
    let drawn = nucleus.iter().position(|&upper| luck * sum < upper);
    Ok(drawn.unwrap_or(nucleus.len().saturating_sub(1)))
}

pub(super) fn rows_of(tensor: &Tensor) -> Result<Vec<f32>> {
    let flat = tensor
        .to_device(Device::Cpu)
        .to_kind(Kind::Float)
        .reshape(-1);
    Vec::try_from(flat).map_err(|error| {
        Error::format(
            "the language model",
            format!("its answer is unusable: {error}"),
        )
    })
}

pub(super) fn ids_of(tensor: &Tensor) -> Result<Vec<i64>> {
    let flat = tensor.to_device(Device::Cpu).reshape(-1);
    Vec::try_from(flat).map_err(|error| {
        Error::format(
            "the language model",
            format!("its answer is unusable: {error}"),
        )
    })
}
