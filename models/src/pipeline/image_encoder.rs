//! Looks at pictures: the image encoder of a bundle with its own way of preparing a picture.
//!
//! Pictures go through in blocks of one fixed size, padded with blank ones, so that a feature does
//! not depend on the pictures beside it. On a processor a block is one picture: there is nothing to
//! gain from more.

use crate::bundle::{Bundle, ImageEncoderKind};
use crate::error::{Error, Result};
use crate::networks::efficientnet::EfficientNet;
use crate::networks::vgg::Vgg;
use crate::pipeline::picture::{EFFICIENTNET_SIDE, Picture, efficientnet_input, original_input};
use crate::tensors::weights::Weights;
use std::path::Path;
use tch::{Device, Tensor};

/// The image encoder of a bundle.
#[derive(Debug)]
pub struct ImageEncoder {
    network: Network,
    device: Device,
    feature_size: i64,
}

#[derive(Debug)]
enum Network {
    EfficientNet(EfficientNet),
    Vgg(Vgg),
}

impl ImageEncoder {
    /// Loads the encoder from the bundle, or from the cache when it is a fetched one.
    pub fn open(bundle: &Bundle, cache: &Path, device: Device) -> Result<Self> {
        let weights = arrays(bundle, cache)?.to_device(device);
        let network = match bundle.manifest().image_encoder.kind {
            ImageEncoderKind::EfficientnetLite0 => {
                Network::EfficientNet(EfficientNet::load_for(&weights, EFFICIENTNET_SIDE)?)
            }
            ImageEncoderKind::Vgg19 => Network::Vgg(Vgg::load(&weights)?),
        };
        let feature_size = match &network {
            Network::EfficientNet(network) => network.feature_size(),
            Network::Vgg(network) => network.feature_size(),
        };
        Ok(Self {
            network,
            device,
            feature_size,
        })
    }

    /// How many numbers a feature has.
    pub fn feature_size(&self) -> i64 {
        self.feature_size
    }

    /// One feature (1, F) a picture.
    pub fn look(&self, pictures: &[&Picture]) -> Vec<Tensor> {
        let block = if self.device.is_cuda() { 8 } else { 1 };
        let mut features = Vec::with_capacity(pictures.len());
        for some in pictures.chunks(block) {
            let mut inputs: Vec<Tensor> = some.iter().map(|picture| self.input(picture)).collect();
            let blank = inputs[0].zeros_like();
            inputs.resize_with(block, || blank.shallow_clone());
            let batch = Tensor::stack(&inputs, 0).to_device(self.device);
            let found = match &self.network {
                Network::EfficientNet(network) => network.features(&batch),
                Network::Vgg(network) => network.features(&batch),
            };
            // a row of its own: features are kept, and would keep their whole block
            features.extend((0..some.len() as i64).map(|row| found.narrow(0, row, 1).copy()));
        }
        features
    }

    fn input(&self, picture: &Picture) -> Tensor {
        match self.network {
            Network::EfficientNet(_) => efficientnet_input(picture),
            Network::Vgg(_) => original_input(picture),
        }
    }
}

/// The encoder's arrays, from the bundle or from the cache.
pub(super) fn arrays(bundle: &Bundle, cache: &Path) -> Result<Weights> {
    let encoder = &bundle.manifest().image_encoder;
    match (&encoder.file, &encoder.fetched) {
        (Some(file), None) => Weights::from_mapped(&bundle.map(file)?),
        (None, Some(name)) => fetched(bundle, cache, name),
        _ => {
            let reason = "[image_encoder] needs one of `file` and `fetched`".to_owned();
            Err(Error::Bundle {
                path: bundle.path(""),
                reason,
            })
        }
    }
}

/// The weights that set-up put into the cache; the program converts them there from the form they are fetched in.
pub(super) fn fetched(bundle: &Bundle, cache: &Path, name: &str) -> Result<Weights> {
    let path = cache.join(name);
    if path.exists() {
        return Weights::from_safetensors(&path);
    }
    let reason = format!(
        "the photo network {} is not there: run `make setup`, then `storyteller doctor`",
        path.display()
    );
    Err(Error::Bundle {
        path: bundle.path(""),
        reason,
    })
}
