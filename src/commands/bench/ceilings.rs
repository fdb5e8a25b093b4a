//! What this machine can do at most, measured in the same run as the stories: matrix products and copying.
//! Shapes are those that decide: a large product, and one of as many rows as the language model's steps have.

use models::tensors::device;
use tch::{Device, Kind, Tensor, no_grad};

use super::clock::Clock;
use super::report::Ceilings;

/// Each measurement takes about so long.
const SECONDS: f64 = 0.25;

/// Measures on the device of that name, one thread.
pub(super) fn measure(wanted: &str) -> anyhow::Result<Ceilings> {
    let device = device::choose(wanted)?;
    let threads = tch::get_num_threads();
    tch::set_num_threads(1);
    // a graphics card is not filled by what fills a core
    let (large, rows) = if device.is_cuda() {
        ([8192; 3], 640)
    } else {
        ([1024; 3], 8)
    };
    let ceilings = Ceilings {
        product_f32: product(Kind::Float, device, large),
        product_bf16: product(Kind::BFloat16, device, large),
        thin_f32: product(Kind::Float, device, [rows, 576, 3072]),
        thin_bf16: product(Kind::BFloat16, device, [rows, 576, 3072]),
        copy: copy(device),
    };
    tch::set_num_threads(threads);
    Ok(ceilings)
}

/// Billions of multiplications and additions a second of (rows, inner) by (out, inner).
fn product(kind: Kind, device: Device, [rows, inner, out]: [i64; 3]) -> f64 {
    no_grad(|| {
        let x = Tensor::rand([rows, inner], (Kind::Float, device)).to_kind(kind);
        let weights = Tensor::rand([out, inner], (Kind::Float, device)).to_kind(kind);
        let once = || x.linear::<&Tensor>(&weights, None);
        2.0 * (rows * inner * out) as f64 * a_second(&once, device) / 1e9
    })
}

/// Billions of bytes a second, read and written both counted, of a block that no cache holds.
fn copy(device: Device) -> f64 {
    no_grad(|| {
        let size: i64 = if device.is_cuda() { 1 << 30 } else { 32 << 20 };
        let from = Tensor::rand([size], (Kind::Float, device));
        let to = from.zeros_like();
        let once = || {
            to.shallow_clone().copy_(&from);
            to.narrow(0, 0, 1)
        };
        2.0 * 4.0 * size as f64 * a_second(&once, device) / 1e9
    })
}

/// How often something can be done in a second of the processor, or of a graphics card.
fn a_second(once: &dyn Fn() -> Tensor, device: Device) -> f64 {
    // reading a number back waits for the device
    let done = |result: Tensor| result.flatten(0, -1).double_value(&[0]);
    done(once());
    let clock = Clock::start();
    let mut times = 0.0;
    while clock.wall() < SECONDS {
        done(once());
        times += 1.0;
    }
    let spent = if device.is_cuda() {
        clock.wall()
    } else {
        clock.cpu()
    };
    times / spent.max(1e-9)
}
