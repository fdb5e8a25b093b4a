//! Pictures and image encoders against the original: preprocessing to the last digit, VGG-19 and
//! EfficientNet-Lite0 to 1e-5. JPEG decoders round differently, so JPEGs are compared more loosely.

use super::golden::assert_close;
use models::artifact::{Value, read_pickle, read_pth};
use models::efficientnet::EfficientNet;
use models::picture::{Limits, Picture, original_input};
use models::vgg::Vgg;
use models::{Weights, picture};
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

/// Pictures that the original took as we do. It read the indices of a palette as grey, left 16 bits
/// unscaled, and failed on transparency and CMYK; we decode those properly.
const SAME: [&str; 9] = [
    "big_rgb.png",
    "exact256_rgb.png",
    "gray_l.png",
    "land_rgb.png",
    "mini_rgb.png",
    "port_rgb.png",
    "small_rgb.png",
    "square_rgb.png",
    "gray_l.jpg",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn decode(name: &str) -> Picture {
    let bytes = std::fs::read(folder().join("images").join(name)).unwrap();
    Picture::decode(&bytes, &Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn golden() -> Weights {
    Weights::from_npz(&folder().join("images/golden_images.npz")).unwrap()
}

fn array(weights: &Weights, name: &str) -> Tensor {
    weights
        .iter()
        .find(|(n, _)| *n == name)
        .unwrap()
        .1
        .shallow_clone()
}

fn vgg() -> Vgg {
    let bytes = std::fs::read(folder().join("images/vgg19.pkl")).unwrap();
    let (value, _) = read_pickle(&bytes).unwrap();
    let list = value.get("param values").unwrap().as_items().unwrap();
    let tensor = |value: &Value| match value {
        Value::Array(array) => array.to_tensor(),
        other => panic!("{other:?}"),
    };
    let arrays = list.iter().map(tensor).collect();
    Vgg::load(&Vgg::name_parameters("vgg19.pkl", arrays).unwrap()).unwrap()
}

#[test]
fn pictures_are_scaled_and_cut_as_the_original_did() {
    let golden = golden();
    for name in SAME {
        let key = name.replace('.', "_");
        let input = original_input(&decode(name)).unsqueeze(0);
        let corner = array(&golden, &format!("{key}__im_corner"));
        let (high, wide) = (corner.size()[2], corner.size()[3]);
        let found = input.narrow(2, 0, high).narrow(3, 0, wide);
        assert_close(&found, &corner, 1e-6, name);
        let samples = array(&golden, &format!("{key}__im_s7"));
        let found = input.slice(2, 0, None, 7).slice(3, 0, None, 7);
        let tolerance = if name.ends_with("jpg") { 0.02 } else { 1e-6 };
        assert_close(&found, &samples, tolerance, name);
    }
}

#[test]
fn the_feature_of_vgg_is_the_original_one() {
    let (golden, vgg) = (golden(), vgg());
    for name in SAME {
        let feature = vgg.features(&original_input(&decode(name)).unsqueeze(0));
        let wanted = array(&golden, &format!("{}__fc7", name.replace('.', "_")));
        let tolerance = if name.ends_with("jpg") { 0.03 } else { 1e-5 };
        assert_close(&feature, &wanted.view([1, -1]), tolerance, name);
    }
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
fn efficientnet_sees_what_its_published_form_sees() {
    let cache = std::env::var_os("STORYTELLER_CACHE").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/storyteller"));
    let file = cache.or(home).unwrap().join("efficientnet_lite0.pth");
    if !file.exists() {
        // fetched by scripts/setup-weights.sh; without it there is nothing to compare
        return;
    }
    let network = EfficientNet::load(&read_pth(&file).unwrap()).unwrap();
    let golden = Weights::from_npz(&folder().join("efficientnet_lite0.npz")).unwrap();
    let features = network.features(&array(&golden, "input"));
    assert_close(&features, &array(&golden, "features"), 1e-5, "features");
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
