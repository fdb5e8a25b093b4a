//! Two pairs of eyes: EfficientNet-Lite0 with its classifier, and NanoDet.
//!
//! The storyteller asks them for every picture, `storyteller train features` for folders of them. Pictures go through in
//! blocks of one fixed size, as in `image_encoder`, so that a look does not depend on the pictures beside it.

use super::{Look, squash};
use crate::error::Result;
use crate::networks::efficientnet::{Classifier, EfficientNet};
use crate::networks::nanodet::NanoDet;
use crate::pipeline::picture::Picture;
use crate::tensors::abreast::abreast;
use crate::tensors::weights::Weights;
use tch::{Device, Tensor};

/// Both networks on one device.
#[derive(Debug)]
pub struct Eyes {
    lite0: EfficientNet,
    classifier: Classifier,
    nanodet: NanoDet,
    device: Device,
}

impl Eyes {
    /// Takes the arrays of EfficientNet-Lite0, its classifier `_fc` among them, and of NanoDet.
    ///
    /// # Errors
    /// When an array is missing or has another shape.
    pub fn load(lite0: &Weights, nanodet: &Weights, device: Device) -> Result<Self> {
        let lite0 = lite0.to_device(device);
        Ok(Self {
            classifier: Classifier::load(&lite0)?,
            lite0: EfficientNet::load(&lite0)?,
            nanodet: NanoDet::load(&nanodet.to_device(device))?,
            device,
        })
    }

    /// What both find in each picture.
    pub fn look(&self, pictures: &[&Picture]) -> Vec<Look> {
        let _no_grad = tch::no_grad_guard();
        let block = if self.device.is_cuda() { 16 } else { 1 };
        let mut looks = Vec::with_capacity(pictures.len());
        for some in pictures.chunks(block) {
            let lite0 = self
                .lite0
                .features(&self.batch(some, block, squash::lite0_input));
            let logits = self.classifier.logits(&lite0);
            let nanodet = self
                .nanodet
                .features(&self.batch(some, block, squash::nanodet_input));
            let rows = [lite0, logits, nanodet].map(|found| found.to_device(Device::Cpu));
            for row in 0..some.len() as i64 {
                // a row of its own: looks are kept, and would keep their whole block
                let [lite0, logits, nanodet] = [0, 1, 2].map(|n: usize| rows[n].get(row).copy());
                looks.push(Look {
                    lite0,
                    logits,
                    nanodet,
                });
            }
        }
        looks
    }

    /// The inputs of some pictures, filled up with blank ones to the size of a block.
    fn batch(&self, pictures: &[&Picture], block: usize, input: fn(&Picture) -> Tensor) -> Tensor {
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
