//! The golden sets, each with a VGG-19 whose features its joint space takes.

use std::path::{Path, PathBuf};

use originals::reader::{Original, Part};
use tch::{Device, Kind, Tensor};

pub(super) fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/golden")
}

/// The folders of all sets.
pub(super) fn sets() -> Vec<PathBuf> {
    let root = std::env::var_os("STORYTELLER_GOLDEN").map_or_else(committed, PathBuf::from);
    let mut folders = Vec::new();
    for size in ["tiny", "mid"] {
        let seeds = (0..9).map(|seed| root.join(size).join(format!("s{seed}")));
        folders.extend(seeds.filter(|folder| folder.join("golden.json").exists()));
    }
    assert!(!folders.is_empty(), "no golden sets in {}", root.display());
    folders
}

/// A set as an original, with thin random eyes under torchvision's names written into `scratch`.
pub(super) fn original(set: &Path, scratch: &Path) -> Original {
    let original = Original::open(set).unwrap();
    let features = original.vse(Device::Cpu).unwrap().image_size();
    let eyes = scratch.join("vgg19.safetensors");
    thin_vgg(&eyes, features);
    original.with(Part::Vgg, eyes)
}

pub(super) fn thin_vgg(file: &Path, features: i64) {
    let places = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34];
    let mut dice = 0.0;
    let mut random = |shape: &[i64]| {
        dice += 1.0;
        let count = shape.iter().product::<i64>();
        let ramp = Tensor::arange(count, (Kind::Float, Device::Cpu));
        (ramp * 12.9898 + dice).sin().view(shape) * 0.5
    };
    let mut arrays = Vec::new();
    let mut channels = 3;
    for place in places {
        arrays.push((
            format!("features.{place}.weight"),
            random(&[4, channels, 3, 3]),
        ));
        arrays.push((format!("features.{place}.bias"), random(&[4])));
        channels = 4;
    }
    for (place, input, output) in [(0, 4 * 49, 16), (3, 16, features)] {
        arrays.push((
            format!("classifier.{place}.weight"),
            random(&[output, input]),
        ));
        arrays.push((format!("classifier.{place}.bias"), random(&[output])));
    }
    Tensor::write_safetensors(&arrays, file).unwrap();
}
