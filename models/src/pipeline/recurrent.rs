//! The pipeline of 2015: one feature of the picture, a joint embedding, skip-thoughts of the nearest captions, a recurrent
//! decoder.
//!
//! Imported originals and bundles trained by the recipes of 2015 are told by it, strictly or for people. What must stay
//! true: a story is the same alone and in any batch, and strict stories are the original's to float tolerance.

mod stages;
mod strategy;

use crate::bundle::Bundle;
use crate::bundle::styles::Styles;
use crate::bundle::vectors::Reading;
use crate::error::{Error, Result};
use crate::networks::decoder::Decoder;
use crate::networks::skip_thoughts::SkipThoughts;
use crate::networks::vse::Vse;
use crate::pipeline::caption_vectors;
use crate::pipeline::gallery::Gallery;
use crate::pipeline::image_encoder::ImageEncoder;
use crate::pipeline::looks::Looks;
use crate::pipeline::story::{Request, ToldBatch, Watcher};
use crate::pipeline::style_from_text::{Draft, GoOn, Made, Reader, make};
use crate::tensors::device::give_back_freed_memory;
use crate::tensors::matrix::Matrix;
use crate::text::vocabulary::Vocabulary;
use std::path::Path;
use tch::{Device, Tensor};

/// All networks of a bundle of 2015 on one device, with the captions' vectors.
#[derive(Debug)]
pub(super) struct Recurrent {
    device: Device,
    image_encoder: ImageEncoder,
    /// Features, where the networks are.
    pub(super) looks: Looks<Tensor>,
    vse: Vse,
    skip_thoughts: SkipThoughts,
    gallery: Gallery,
    thoughts: Option<Matrix>,
    pub(super) styles: Styles,
    decoder: Decoder,
    vocabulary: Vocabulary,
}

impl Recurrent {
    /// Loads the parts. The vectors of the captions are computed at the first start and kept in `cache`.
    pub(super) fn open(
        bundle: &Bundle,
        cache: &Path,
        device: Device,
        progress: &mut dyn FnMut(&str, usize, usize),
    ) -> Result<Self> {
        progress("loading the networks", 0, 1);
        // the largest file first: while its arrays are copied they take the most room
        let image_encoder = ImageEncoder::open(bundle, cache, device)?;
        let vse = bundle.vse(device)?;
        let skip_thoughts = bundle.skip_thoughts(device)?;
        let (decoder, vocabulary) = bundle.decoder(device)?;
        let styles = bundle.styles(skip_thoughts.size(), device)?;
        let pictures = Size::of("pictures", image_encoder.feature_size());
        let thoughts = Size::of("thoughts", skip_thoughts.size());
        pictures.fits(&Size::of("the joint space", vse.image_size()), bundle)?;
        thoughts.fits(&Size::of("the decoder", decoder.thought_size()), bundle)?;
        progress("loading the networks", 1, 1);
        let captions = bundle.captions()?;
        let reading = Reading {
            captions: &captions,
            vse: &vse,
            skip_thoughts: &skip_thoughts,
        };
        let known = caption_vectors::recall(bundle, cache, reading, progress)?;
        give_back_freed_memory();
        Ok(Self {
            device,
            image_encoder,
            looks: Looks::new(Tensor::shallow_clone),
            vse,
            skip_thoughts,
            gallery: Gallery::from_rows(captions, known.embeddings)?,
            thoughts: known.thoughts,
            styles,
            decoder,
            vocabulary,
        })
    }

    /// Makes a style of a text with the bundle's encoder.
    pub(super) fn learn(&self, draft: &Draft, go_on: GoOn) -> Result<Made> {
        make(
            draft,
            &Reader::Recurrent(&self.skip_thoughts, &self.vocabulary),
            go_on,
        )
    }

    /// Tells a story for each request.
    pub(super) fn tell(&self, requests: &[Request], watcher: &mut dyn Watcher) -> ToldBatch {
        stages::tell(self, requests, watcher)
    }
}

/// How many numbers something has, or takes.
struct Size {
    of: &'static str,
    numbers: i64,
}

impl Size {
    fn of(of: &'static str, numbers: i64) -> Self {
        Self { of, numbers }
    }

    /// Refuses a bundle in which one part yields another size than the next one takes.
    fn fits(&self, taker: &Self, bundle: &Bundle) -> Result<()> {
        if self.numbers == taker.numbers {
            return Ok(());
        }
        let (what, found) = (self.of, self.numbers);
        let (reader, wanted) = (taker.of, taker.numbers);
        Err(Error::Bundle {
            path: bundle.path(""),
            reason: format!("{what} have {found} numbers, but {reader} takes {wanted}"),
        })
    }
}
