//! Pictures that the original failed on or read badly, and EfficientNet-Lite0 against its published form to 1e-5.

use models::networks::efficientnet::{Classifier, EfficientNet};
use models::pipeline::picture;
use models::pipeline::picture::Caps;
use models::{Picture, Weights};
use originals::formats::read_pth;
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/golden")
}

fn decode(name: &str) -> Picture {
    let bytes = std::fs::read(folder().join("tiny/images").join(name)).unwrap();
    Picture::decode(&bytes, &Caps::default()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn array(weights: &Weights, name: &str) -> Tensor {
    let found = weights.iter().find(|(known, _)| *known == name);
    found.unwrap().1.shallow_clone()
}

fn assert_close(found: &Tensor, wanted: &Tensor, relative: f64) {
    assert_eq!(found.size(), wanted.size());
    let scale = wanted.abs().max().double_value(&[]);
    let error = (found - wanted).abs().max().double_value(&[]) / scale;
    assert!(error <= relative, "off by {error:e} of the largest");
}

#[test]
fn pictures_that_the_original_failed_on_are_decoded() {
    for name in ["alpha_rgba.png", "cmyk.jpg", "gray_la.png", "gray_i16.png"] {
        let picture = decode(name);
        assert_eq!(
            picture.rgb.len(),
            (picture.width * picture.height * 3) as usize,
            "{name}"
        );
        let spread = picture.rgb.iter().max().unwrap() - picture.rgb.iter().min().unwrap();
        assert!(spread > 20, "{name} is all one colour");
    }
    let (palette, gif) = (decode("palette_p.png"), decode("palette_p.gif"));
    assert!(
        palette.rgb.chunks(3).any(|pixel| pixel[0] != pixel[1]),
        "the palette has colours"
    );
    assert_eq!((gif.width, gif.height), (palette.width, palette.height));
}

#[test]
fn a_jpeg_is_decoded_to_nearly_the_same_pixels_as_a_png_of_it() {
    for name in ["land_rgb", "port_rgb"] {
        let (jpg, png) = (
            decode(&format!("{name}.jpg")),
            decode(&format!("{name}.png")),
        );
        assert_eq!((jpg.width, jpg.height), (png.width, png.height));
        let pairs = jpg.rgb.iter().zip(&png.rgb);
        let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(sum / (jpg.rgb.len() as u64) < 12, "{name}");
    }
}

#[test]
fn both_efficientnets_see_and_name_what_their_published_form_does() {
    let cache = std::env::var_os("STORYTELLER_CACHE").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/storyteller"));
    let cache = cache.or(home).unwrap();
    for (name, side) in [("efficientnet_lite0", 224), ("efficientnet_lite2", 260)] {
        let file = cache.join(name).with_extension("pth");
        assert!(
            file.exists(),
            "{} is missing: run scripts/setup-weights.sh",
            file.display()
        );
        let weights = read_pth(&file).unwrap();
        let network = EfficientNet::load(&weights).unwrap();
        assert_eq!(network.side(), side);
        // an import prepares pictures for the smaller one
        let alone = EfficientNet::load_for(&weights, picture::EFFICIENTNET_SIDE);
        assert_eq!(alone.is_ok(), side == picture::EFFICIENTNET_SIDE);
        let golden = folder().join(name).with_extension("npz");
        let golden = originals::formats::read_weights(&golden).unwrap();
        let features = network.features(&array(&golden, "input"));
        assert_close(&features, &array(&golden, "features"), 1e-5);
        let logits = Classifier::load(&weights).unwrap().logits(&features);
        assert_close(&logits, &array(&golden, "logits"), 1e-4);
    }
}

#[test]
fn the_input_of_efficientnet_is_the_middle_of_the_picture_whatever_its_size() {
    let flat = |width: u32, height: u32| {
        let pixel = |x: u32| {
            if x < width / 2 {
                [255u8, 0, 0]
            } else {
                [0, 0, 255]
            }
        };
        let rgb = (0..height)
            .flat_map(|_| (0..width).flat_map(pixel))
            .collect();
        picture::efficientnet_input(&Picture { width, height, rgb })
    };
    for (width, height) in [(256, 256), (3000, 1200), (40, 90), (1, 1)] {
        let input = flat(width, height);
        assert_eq!(input.size(), [3, 224, 224]);
        assert!(input.abs().max().double_value(&[]) <= 1.001);
        if width > 1 {
            let left = input
                .narrow(2, 0, 90)
                .mean_dim([1i64, 2].as_slice(), false, Kind::Float);
            let right = input
                .narrow(2, 134, 90)
                .mean_dim([1i64, 2].as_slice(), false, Kind::Float);
            assert!(left.double_value(&[0]) > 0.99 && right.double_value(&[2]) > 0.99);
        }
    }
}
