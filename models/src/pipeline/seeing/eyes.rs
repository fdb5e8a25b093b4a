//! The eyes: one photo network or two (EfficientNet-Lite), each with its classifier, and NanoDet.
//!
//! The storyteller asks them for every picture, `storyteller train features` for folders of them. Pictures go through in
//! blocks of one fixed size, as in `image_encoder`, so that a look does not depend on the pictures beside it.

use super::{Look, PhotoLook, squash};
use crate::bundle::Bundle;
use crate::error::Result;
use crate::networks::efficientnet::{Classifier, EfficientNet};
use crate::networks::nanodet::{self, NanoDet};
use crate::pipeline::image_encoder;
use crate::pipeline::picture::Picture;
use crate::tensors::abreast::abreast;
use crate::tensors::weights::Weights;
use std::path::Path;
use tch::{Device, Tensor};

/// All networks on one device.
#[derive(Debug)]
pub struct Eyes {
    photo: PhotoNetwork,
    nanodet: NanoDet,
    beside: Option<PhotoNetwork>,
    device: Device,
}

#[derive(Debug)]
struct PhotoNetwork {
    network: EfficientNet,
    classifier: Classifier,
}

impl Eyes {
    /// Opens the photo networks of a bundle, which lie in it or in `cache`, and its detector.
    ///
    /// # Errors
    /// When a file is missing or broken, or one of its arrays is missing or has another shape.
    pub fn open(bundle: &Bundle, detector: &str, cache: &Path, device: Device) -> Result<Self> {
        let beside = bundle.manifest().image_encoder.beside.as_ref();
        let beside = beside
            .map(|name| PhotoNetwork::load(&image_encoder::fetched(bundle, cache, name)?, device));
        Ok(Self {
            photo: PhotoNetwork::load(&image_encoder::arrays(bundle, cache)?, device)?,
            nanodet: NanoDet::load(&bundle.weights(detector)?.to_device(device))?,
            beside: beside.transpose()?,
            device,
        })
    }

    /// How many numbers they find in a picture.
    pub fn features(&self) -> i64 {
        let photo = self.photo.network.feature_size();
        let beside = self.beside.as_ref();
        photo + nanodet::FEATURES + beside.map_or(0, |beside| beside.network.feature_size())
    }

    /// What they find in each picture.
    pub fn look(&self, pictures: &[&Picture]) -> Vec<Look> {
        let _no_grad = tch::no_grad_guard();
        let block = if self.device.is_cuda() { 16 } else { 1 };
        let mut looks = Vec::with_capacity(pictures.len());
        for some in pictures.chunks(block) {
            let photo = self.photo(&self.photo, some, block);
            let nanodet = self.batch(some, block, squash::nanodet_input);
            let nanodet = self.nanodet.features(&nanodet).to_device(Device::Cpu);
            let beside = self
                .beside
                .as_ref()
                .map(|network| self.photo(network, some, block));
            looks.extend((0..some.len() as i64).map(|row| Look {
                photo: photo.row(row),
                nanodet: nanodet.get(row).copy(),
                beside: beside.as_ref().map(|found| found.row(row)),
            }));
        }
        looks
    }

    fn photo(&self, network: &PhotoNetwork, pictures: &[&Picture], block: usize) -> PhotoLook {
        let side = network.network.side();
        network.look(&self.batch(pictures, block, move |picture| {
            squash::photo_input(picture, side)
        }))
    }

    /// The inputs of some pictures, filled up with blank ones to the size of a block.
    fn batch(
        &self,
        pictures: &[&Picture],
        block: usize,
        input: impl Fn(&Picture) -> Tensor + Copy + Send,
    ) -> Tensor {
        let mut inputs: Vec<Tensor> = if self.device.is_cuda() {
            abreast(pictures.to_vec(), input)
        } else {
            pictures.iter().map(|picture| input(picture)).collect()
        };
        let blank = inputs[0].zeros_like();
        inputs.resize_with(block, || blank.shallow_clone());
        Tensor::stack(&inputs, 0).to_device(self.device)
    }
}

impl PhotoNetwork {
    fn load(weights: &Weights, device: Device) -> Result<Self> {
        let weights = weights.to_device(device);
        Ok(Self {
            network: EfficientNet::load(&weights)?,
            classifier: Classifier::load(&weights)?,
        })
    }

    /// Features (N, 1280) and likelihoods (N, 1000) of a batch, on the processor.
    fn look(&self, batch: &Tensor) -> PhotoLook {
        let feature = self.network.features(batch);
        let likely = self.classifier.likely(&feature);
        PhotoLook {
            feature: feature.to_device(Device::Cpu),
            likely: likely.to_device(Device::Cpu),
        }
    }
}

impl PhotoLook {
    /// One picture of a batch; numbers of its own: looks are kept, and would keep their whole block.
    pub fn row(&self, row: i64) -> Self {
        Self {
            feature: self.feature.get(row).copy(),
            likely: self.likely.get(row).copy(),
        }
    }
}
