//! What the detector sees, and what both pairs of eyes are given to see.

use super::golden::{Golden, assert_close, weights};
use models::Picture;
use models::networks::nanodet::{FEATURES, NanoDet};
use models::pipeline::picture::Caps;
use models::pipeline::seeing::squash;
use std::path::Path;
use tch::{Kind, Tensor};

fn planes(pixels: &Tensor) -> Tensor {
    pixels.permute([2, 0, 1]).unsqueeze(0)
}

#[test]
fn nanodet_sees_what_its_published_form_sees() {
    let golden = Golden::open("nanodet.safetensors");
    let network = NanoDet::load(&weights("nanodet.safetensors")).unwrap();
    for picture in ["coffee", "dogs"] {
        let array = |name: &str| golden.array(&format!("{picture}.{name}"));
        let input = squash::nanodet_scaled(&planes(&array("pixels")));
        let maps = network.maps(&input);
        for (letter, maps) in [
            ("c", &maps.backbone),
            ("p", &maps.pyramid),
            ("h", &maps.heads),
            ("s", &maps.scores),
        ] {
            for (scale, map) in (3..).zip(maps) {
                let places = array(&format!("{letter}{scale}.at")).to_kind(Kind::Int64);
                let found: Vec<Tensor> = (0..places.size()[0])
                    .map(|n| {
                        let (row, column) =
                            (places.int64_value(&[n, 0]), places.int64_value(&[n, 1]));
                        map.get(0).select(1, row).select(1, column)
                    })
                    .collect();
                let name = format!("{letter}{scale}");
                assert_close(&name, &Tensor::stack(&found, 0), &array(&name), 2e-4);
            }
        }
        assert_close("scores", &maps.best_scores().get(0), &array("scores"), 2e-5);
        assert_close("all", &maps.everything().get(0), &array("features"), 2e-4);
        let few = array("features").narrow(0, 0, FEATURES);
        assert_close("features", &network.features(&input).get(0), &few, 2e-4);
    }
}

#[test]
fn a_picture_is_squashed_as_for_training_to_one_grey_level() {
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/photos");
    for name in ["coffee", "dogs"] {
        let bytes = std::fs::read(photos.join(format!("{name}.jpg"))).unwrap();
        let picture = Picture::decode(&bytes, &Caps::default()).unwrap();
        for (file, found, scaled, level) in [
            (
                "lite0.safetensors",
                squash::photo_input(&picture, 224),
                squash::photo_scaled as fn(&Tensor) -> Tensor,
                1.0 / 128.0,
            ),
            (
                "nanodet.safetensors",
                squash::nanodet_input(&picture),
                squash::nanodet_scaled,
                1.0 / 57.12,
            ),
        ] {
            let pixels = Golden::open(file).array(&format!("{name}.pixels"));
            let wanted = scaled(&planes(&pixels)).squeeze_dim(0);
            // decoders of JPEG differ by a few levels at single pixels
            assert_close(file, &found, &wanted, 8.0 * level);
            let mean = (&found - &wanted).abs().mean(Kind::Float).double_value(&[]);
            assert!(
                mean < 0.3 * level,
                "{name} for {file}: off by {mean} on average"
            );
        }
    }
}

#[test]
fn a_picture_of_any_shape_fills_the_square() {
    for (width, height) in [(3, 2000), (2000, 3), (1, 1), (224, 224)] {
        let rgb = vec![255u8; (width * height * 3) as usize];
        let input = squash::photo_input(&Picture { width, height, rgb }, 224);
        assert_eq!(input.size(), [3, 224, 224]);
        assert_eq!(input.min().double_value(&[]), 1.0);
    }
}
