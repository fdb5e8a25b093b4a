//! Which numbers a device multiplies quicker: 32-bit floats, or bfloat16.
//!
//! Processors with AVX512-BF16 or AMX and GPUs gain two to ten times by bfloat16; on others libtorch falls back to loops
//! that are ten times slower, and no name or flag tells all of them apart. So it is measured.

use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor, no_grad};

/// A product of the shape that a small language model computes most: (tokens, in) by (out, in).
const SHAPE: [i64; 3] = [512, 576, 1536];
/// The best of so many counts: a neighbour may disturb some.
const TRIES: usize = 3;

/// What a device multiplies quicker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quicker {
    /// 32-bit floats or bfloat16.
    pub kind: Kind,
    /// The time of 32-bit floats over that of bfloat16.
    pub gain: f64,
}

/// Measures on `device`; takes some hundredths of a second.
pub fn quicker(device: Device) -> Quicker {
    let [float, brain] = [Kind::Float, Kind::BFloat16].map(|kind| best_time(kind, device));
    let gain = float.as_secs_f64() / brain.as_secs_f64().max(1e-9);
    Quicker {
        // what is hardly quicker is not worth the digits
        kind: if gain > 1.1 {
            Kind::BFloat16
        } else {
            Kind::Float
        },
        gain,
    }
}

fn best_time(kind: Kind, device: Device) -> Duration {
    no_grad(|| {
        let [rows, inner, out] = SHAPE;
        let x = Tensor::ones([rows, inner], (kind, device));
        let weights = Tensor::ones([out, inner], (kind, device));
        let product = || {
            let begun = Instant::now();
            // reading one number back waits for the device
            let _ = x
                .linear::<&Tensor>(&weights, None)
                .get(0)
                .get(0)
                .double_value(&[]);
            begun.elapsed()
        };
        let _warm_up = product();
        (0..TRIES).map(|_| product()).min().unwrap_or_default()
    })
}
