//! One VGG-19 in every form it was passed on in sees the same in a picture.

use std::path::Path;

use models::pipeline::picture::{Caps, original_input};
use models::{Picture, Vgg};
use originals::reader::read_vgg;
use tch::{Kind, Tensor};

use super::sets::committed;

fn picture() -> Tensor {
    let bytes = std::fs::read(committed().join("tiny/images/land_rgb.png")).unwrap();
    let picture = Picture::decode_as_stored(&bytes, &Caps::default()).unwrap();
    original_input(&picture).unsqueeze(0)
}

fn golden_vgg() -> models::Weights {
    read_vgg(&committed().join("tiny/images/vgg19.pkl")).unwrap()
}

/// A protocol-buffer field with bytes in it.
fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    for mut value in [number << 3 | 2, bytes.len() as u64] {
        while value > 127 {
            out.push(value as u8 | 128);
            value >>= 7;
        }
        out.push(value as u8);
    }
    [out.as_slice(), bytes].concat()
}

/// A Caffe array: legacy extents (num, channels, height, width) or a shape, numbers packed.
fn blob(array: &Tensor, legacy: bool) -> Vec<u8> {
    let mut extents = array.size();
    let mut message = Vec::new();
    if legacy {
        while extents.len() < 4 {
            extents.insert(0, 1);
        }
        for (number, &extent) in (1u8..).zip(&extents) {
            message.push(number << 3);
            let mut value = extent as u64;
            while value > 127 {
                message.push(value as u8 | 128);
                value >>= 7;
            }
            message.push(value as u8);
        }
    } else {
        let shape: Vec<u8> = extents
            .iter()
            .map(|&extent| u8::try_from(extent.min(127)).unwrap())
            .collect();
        assert!(
            extents.iter().all(|&extent| extent < 128),
            "one byte an extent is enough here"
        );
        message.extend(field(7, &field(1, &shape)));
    }
    let numbers = Vec::<f32>::try_from(array.contiguous().view([-1])).unwrap();
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    message.extend(field(5, &bytes));
    message
}

/// The golden network as Caffe would have saved it; `layers` is field 2 (old) or 100 (new).
fn caffemodel(file: &Path, old: bool) {
    let weights = golden_vgg();
    let (layers, name_field, blobs) = if old { (2, 4, 6) } else { (100, 1, 7) };
    let mut net = field(1, b"VGG_ILSVRC_19_layers");
    for pair in Vgg::parameter_names().chunks(2) {
        let name = pair[0].trim_end_matches("_W");
        let get = |name: &str| {
            let found = weights.iter().find(|(known, _)| *known == name).unwrap();
            found.1.shallow_clone()
        };
        let mut weight = get(&pair[0]);
        if name.starts_with("fc") {
            weight = weight.tr();
        }
        // a shape of this test has one byte an extent; dense layers are larger
        let legacy = old || name.starts_with("fc");
        let layer = [
            field(name_field, name.as_bytes()),
            field(blobs, &blob(&weight, legacy)),
            field(blobs, &blob(&get(&pair[1]), legacy)),
        ];
        net.extend(field(layers, &layer.concat()));
    }
    std::fs::write(file, net).unwrap();
}

#[test]
fn a_caffemodel_of_either_age_gives_the_features_of_the_pickle() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = Vgg::load(&golden_vgg()).unwrap().features(&picture());
    for old in [true, false] {
        let file = folder.path().join("VGG_ILSVRC_19_layers.caffemodel");
        caffemodel(&file, old);
        let found = Vgg::load(&read_vgg(&file).unwrap()).unwrap();
        assert!(found.features(&picture()).equal(&wanted), "old: {old}");
    }
}

#[test]
fn a_torchvision_network_sees_in_our_input_what_it_sees_in_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let eyes = folder.path().join("vgg19.safetensors");
    super::sets::thin_vgg(&eyes, 16);
    let raw = Tensor::read_safetensors(&eyes).unwrap();
    let get = |name: &str| {
        raw.iter()
            .find(|(known, _)| known == name)
            .unwrap()
            .1
            .shallow_clone()
    };
    // the picture as torchvision wants it: red first, in 0 … 1, less a mean, divided by a spread
    let numbers = |numbers: [f32; 3]| Tensor::from_slice(&numbers).view([1, 3, 1, 1]);
    let bgr = picture() + numbers([103.939, 116.779, 123.68]);
    let theirs =
        (bgr.flip(1i64) / 255.0 - numbers([0.485, 0.456, 0.406])) / numbers([0.229, 0.224, 0.225]);
    let wanted = theirs
        .conv2d(
            &get("features.0.weight"),
            Some(get("features.0.bias")),
            [1, 1],
            [1, 1],
            [1, 1],
            1,
        )
        .relu();
    let vgg = Vgg::load(&read_vgg(&eyes).unwrap()).unwrap();
    let mut first = None;
    vgg.layers(&picture(), &mut |name, output| {
        if name == "conv1_1" {
            first = Some(output.shallow_clone());
        }
    });
    // but for the ring that is padded with zeros
    let inside = |t: &Tensor| t.narrow(2, 1, 222).narrow(3, 1, 222);
    let gap = (inside(&first.unwrap()) - inside(&wanted)).abs().max();
    let scale = wanted.abs().max().double_value(&[]);
    assert!(scale > 0.5 && gap.to_kind(Kind::Double).double_value(&[]) / scale < 1e-5);
}
