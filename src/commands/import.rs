//! `storyteller import`: a folder of the original's files of 2015 becomes a bundle.
//! The work is `originals::import`; here are the options and the bar.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use models::bundle::vectors::CaptionVectors;
use originals::import::Import as Work;
use originals::reader::Original;
use originals::reader::Part;

use crate::commands::progress::LoadingBar;

/// What `import` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "The folder holds uni_skip.npz, bi_skip.npz, utable.npy, btable.npy, dictionary.txt, coco_embedding.npz, \
    romance.npz, romance_dictionary.pkl, caption_style.npy, romance_style.npy (and others), coco_train_caps.txt and \
    vgg19.pkl or VGG_ILSVRC_19_layers.caffemodel, each with the .pkl files that came beside it. Whatever lies elsewhere \
    or has another name can be named by an option."
)]
pub(crate) struct Import {
    /// The folder of the original's files.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The bundle's folder: a new one, or that of an interrupted import, which is then gone on with.
    #[arg(long, value_name = "BUNDLE")]
    out: PathBuf,
    /// The bundle's name.
    #[arg(long, default_value = "original")]
    name: String,
    /// Which decoder of the folder: NAME for NAME.npz.
    #[arg(long, default_value = "romance", value_name = "NAME")]
    decoder: String,
    /// Store 16-bit floats: half the size, and stories that may differ from the original's.
    #[arg(long)]
    half: bool,
    /// Compute the thought vector of every caption too: hours and gigabytes, and each story is a second quicker.
    #[arg(long)]
    thoughts: bool,
    /// Where the caption vectors are computed: cpu, cuda, cuda:N, or auto for a GPU if there is one.
    #[arg(long, default_value = "auto")]
    device: String,
    /// Files under other names.
    #[command(flatten)]
    files: Files,
}

/// Parts named by hand.
#[derive(Args, Debug)]
#[command(next_help_heading = "Files under other names")]
struct Files {
    /// Instead of uni_skip.npz.
    #[arg(long, value_name = "FILE")]
    uni_skip: Option<PathBuf>,
    /// Instead of bi_skip.npz.
    #[arg(long, value_name = "FILE")]
    bi_skip: Option<PathBuf>,
    /// Instead of utable.npy.
    #[arg(long, value_name = "FILE")]
    utable: Option<PathBuf>,
    /// Instead of btable.npy.
    #[arg(long, value_name = "FILE")]
    btable: Option<PathBuf>,
    /// Instead of dictionary.txt.
    #[arg(long, value_name = "FILE")]
    words: Option<PathBuf>,
    /// Instead of `coco_embedding.npz`; FILE.pkl and FILE.dictionary.pkl lie beside it.
    #[arg(long, value_name = "FILE")]
    vse: Option<PathBuf>,
    /// Instead of romance.npz; FILE.pkl lies beside it.
    #[arg(long, value_name = "FILE")]
    decoder_file: Option<PathBuf>,
    /// Instead of `romance_dictionary.pkl`.
    #[arg(long, value_name = "FILE")]
    decoder_words: Option<PathBuf>,
    /// Instead of `caption_style.npy`.
    #[arg(long, value_name = "FILE")]
    caption_style: Option<PathBuf>,
    /// Instead of `coco_train_caps.txt`.
    #[arg(long, value_name = "FILE")]
    captions: Option<PathBuf>,
    /// Instead of vgg19.pkl: a Lasagne pickle, a caffemodel, torchvision's VGG-19 as safetensors, or EfficientNet-Lite0.
    #[arg(long, value_name = "FILE")]
    image_encoder: Option<PathBuf>,
}

impl Files {
    fn name_in(self, original: Original) -> Original {
        let named = [
            (Part::UniSkip, self.uni_skip),
            (Part::BiSkip, self.bi_skip),
            (Part::UniTable, self.utable),
            (Part::BiTable, self.btable),
            (Part::Words, self.words),
            (Part::Vse, self.vse),
            (Part::Decoder, self.decoder_file),
            (Part::DecoderWords, self.decoder_words),
            (Part::CaptionStyle, self.caption_style),
            (Part::Captions, self.captions),
            (Part::Vgg, self.image_encoder),
        ];
        named
            .into_iter()
            .fold(original, |original, (part, file)| match file {
                Some(file) => original.with(part, file),
                None => original,
            })
    }
}

impl Import {
    /// Imports.
    ///
    /// # Errors
    /// When a file is missing or broken, files do not fit each other, or the bundle cannot be written.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let original = self.files.name_in(Original::open(&self.folder)?);
        let work = Work {
            name: self.name,
            decoder: self.decoder,
            kind: if self.half {
                tch::Kind::Half
            } else {
                tch::Kind::Float
            },
            vectors: if self.thoughts {
                CaptionVectors::EmbeddingsAndThoughts
            } else {
                CaptionVectors::Embeddings
            },
            device: models::tensors::device::choose(&self.device)?,
        };
        let mut bar = LoadingBar::new();
        work.run(&original, &self.out, &mut |what, done, of| {
            bar.show(what, done, of);
        })?;
        super::describe::print(&self.out)?;
        Ok(ExitCode::SUCCESS)
    }
}
