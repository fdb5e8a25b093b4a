//! The pipeline over pretrained networks: two pairs of eyes find captions, a sentence encoder thinks them, a language model
//! writes from the shifted thought.
//!
//! The algorithm is that of 2015, x − c + b and all; only the shoulders it stands on are others. What must stay true: a
//! story is the same alone and in any batch, and whatever goes wrong with one request ends that request only.

mod asking;
mod belonging;
mod casting;
mod choosing;
mod explaining;
mod flowing;
mod item;
mod kinds_of_words;
mod leanings;
mod prompting;
mod side_by_side;
mod telling;
mod versifying;
mod worn;
mod writing;

use crate::bundle::language_model::{LanguageModelPart, fetched};
use crate::bundle::styles::Styles;
use crate::bundle::{Bundle, remembered_sum};
use crate::error::{Error, Result};
use crate::networks::bert::SentenceEncoder;
use crate::networks::llama::{Adapted, Llama};
use crate::networks::prefix::{PrefixMap, Spread};
use crate::networks::word_head::WordHead;
use crate::pipeline::caption_thoughts;
use crate::pipeline::looks::Looks;
use crate::pipeline::picture::Picture;
use crate::pipeline::seeing::eyes::Eyes;
use crate::pipeline::seeing::part::SeeingPart;
use crate::pipeline::seeing::readings::Readings;
use crate::pipeline::seeing::{Look, Seeing};
use crate::pipeline::story::{Request, ToldBatch, Watcher};
use crate::pipeline::style_from_text::{Draft, GoOn, Made, Reader, make};
use crate::pipeline::writer::{Writer, allowed_tokens};
use crate::tensors::abreast::abreast;
use crate::tensors::device::give_back_freed_memory;
use crate::tensors::device::shared::{OneThread, ReadOnly, Shared};
use crate::tensors::weights::Weights;
use crate::text::pieces::Pieces;
use crate::text::words::WordList;
use casting::Casting;
use leanings::Leanings;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;
use tch::{Device, Kind, Tensor};
use worn::Worn;

/// All networks of such a bundle, with what is known of its captions.
#[derive(Debug)]
pub(super) struct Language {
    part: LanguageModelPart,
    eyes: Eyes,
    pub(super) looks: Looks<Look>,
    seeing: Seeing,
    word_head: WordHead,
    captions: Vec<String>,
    /// Thoughts of the captions (N, T), on the processor.
    thoughts: Tensor,
    readings: Readings,
    sentences: SentenceEncoder,
    pub(super) styles: Styles,
    /// What a story of each style is called when it is asked for.
    manners: BTreeMap<String, String>,
    words: WordList,
    /// The mean thought of prose (T).
    mean: Tensor,
    leanings: Leanings,
    casting: Casting,
    worn: Worn,
    writer: Writer,
    /// How many stories are written side by side.
    pub(super) lanes: usize,
}

/// Nothing of it changes once it is open but `styles`, and nobody adds one while stories are told; and `looks`, behind a lock,
/// in which no tensor is written into.
impl ReadOnly for Language {}

impl Language {
    /// Loads the parts. The thoughts of the captions are computed at the first start and kept in `cache`.
    pub(super) fn open(
        bundle: &Bundle,
        cache: &Path,
        device: Device,
        progress: &mut dyn FnMut(&str, usize, usize),
    ) -> Result<Self> {
        let part = bundle.manifest().language_model.clone();
        let part = part.ok_or_else(|| Error::Bundle {
            path: bundle.path(""),
            reason: "it has no [language_model]".to_owned(),
        })?;
        progress("loading the networks", 0, 1);
        let opened = Opened::of(bundle, &part, cache, device)?;
        let sight = SeeingPart::read(bundle)?;
        let eyes = Eyes::open(bundle, &sight.detector, cache, device)?;
        let seeing = sight.seeing(bundle)?;
        let word_head = sight.word_head(bundle)?;
        see_enough(bundle, &eyes, [seeing.features(), word_head.features()])?;
        let arrays = bundle.weights(&part.thoughts)?;
        let spread = Spread::load(&arrays, opened.sentences.size())?;
        let (sentences, writer) = opened.writer(&arrays, &spread)?;
        progress("loading the networks", 1, 1);
        let captions = bundle.captions()?;
        let key = bundle.captions_key()?;
        let thoughts = caption_thoughts::recall(
            &captions,
            &sentences,
            &cache.join("gallery").join(key),
            progress,
        )?;
        let read = cache.join("gallery").join(sight.readings_key(bundle)?);
        let readings = seeing.recall(&captions, thoughts.shallow_clone(), &read)?;
        let words = bundle.text(&part.words)?;
        let words = WordList::parse(&part.words, &words, &arrays, Device::Cpu)?;
        let leanings = Leanings::open(bundle, &writer)?;
        let mean = spread.mean.to_device(Device::Cpu).to_kind(Kind::Float);
        let casting = Casting::open(bundle, &part, &sentences, &mean)?;
        let lanes = lanes(&writer);
        give_back_freed_memory();
        Ok(Self {
            word_head,
            styles: bundle.styles(sentences.size(), Device::Cpu)?,
            mean,
            manners: manners(bundle),
            worn: worn(bundle, &part)?,
            part,
            eyes,
            looks: Looks::new(Look::again),
            seeing,
            captions,
            thoughts,
            readings,
            sentences,
            words,
            leanings,
            casting,
            writer,
            lanes,
        })
    }

    /// Makes a style of a text with the bundle's encoder.
    pub(super) fn learn(&self, draft: &Draft, go_on: GoOn) -> Result<Made> {
        make(
            draft,
            &Reader::Language(&self.sentences, self.writer.pieces(), self.leanings.usage()),
            go_on,
        )
    }

    /// What the eyes find in pictures, or found in them before.
    fn look(&self, pictures: &[&Picture]) -> Vec<Look> {
        self.looks.at(pictures, |strange| self.eyes.look(strange))
    }

    /// Does `work` for each item: on all cores where a graphics card waits for it, else one after the other, since libtorch
    /// has all cores then.
    fn of_each<T: Send, R: Send>(
        &self,
        items: Vec<T>,
        work: impl Fn(&Self, T) -> R + Copy + Send,
    ) -> Vec<R> {
        if !self.writer.writes_together() {
            return items.into_iter().map(|item| work(self, item)).collect();
        }
        let (language, _products) = (Shared::lend(self), OneThread::begin());
        abreast(items, move |item| work(language.get(), item))
    }

    /// Tells a story for each request.
    pub(super) fn tell(&self, requests: &[Request], watcher: &mut dyn Watcher) -> ToldBatch {
        telling::tell(self, requests, watcher)
    }
}

/// Refuses joint spaces and a word head that read more numbers of a picture than the eyes find.
fn see_enough(bundle: &Bundle, eyes: &Eyes, read: [i64; 2]) -> Result<()> {
    for (read, what) in read
        .into_iter()
        .zip(["joint spaces read", "word head reads"])
    {
        if read > eyes.features() {
            let reason = format!(
                "its {what} {read} numbers of a picture, its eyes find {}: `beside` in [image_encoder] names the second photo \
                 network that they were trained with",
                eyes.features()
            );
            let path = bundle.path("");
            return Err(Error::Bundle { path, reason });
        }
    }
    Ok(())
}

/// Stories that a graphics card writes in step, if its memory allows.
const LANES_ON_A_CARD: usize = 64;

/// How many stories are written side by side: on a processor one a core.
fn lanes(writer: &Writer) -> usize {
    if writer.writes_together() {
        let halves = std::iter::successors(Some(LANES_ON_A_CARD), |lanes| Some(lanes / 2));
        // once more as much must be free: the passes need room, too
        let fits = |&lanes: &usize| lanes == 1 || writer.together(2 * lanes).is_ok();
        return halves
            .take_while(|&lanes| lanes > 0)
            .find(fits)
            .unwrap_or(1);
    }
    thread::available_parallelism().map_or(1, usize::from)
}

/// The phrases that sentences are rather chosen without.
fn worn(bundle: &Bundle, part: &LanguageModelPart) -> Result<Worn> {
    let list = part.worn.as_ref().map(|file| bundle.text(file));
    Ok(Worn::new(&list.transpose()?.unwrap_or_default()))
}

/// The manner of each style that has one.
fn manners(bundle: &Bundle) -> BTreeMap<String, String> {
    let styles = bundle.manifest().styles.iter();
    styles
        .filter_map(|style| Some((style.name.clone(), style.manner.clone()?)))
        .collect()
}

/// The published networks, each read by a thread of its own: together they take most of a start.
struct Opened {
    sentences: SentenceEncoder,
    pieces: Pieces,
    /// With the adapter's arrays, if there is one.
    llama: (Llama, Option<Weights>),
}

impl Opened {
    fn of(bundle: &Bundle, part: &LanguageModelPart, cache: &Path, device: Device) -> Result<Self> {
        thread::scope(|scope| {
            let sentences =
                scope.spawn(|| SentenceEncoder::open(&fetched(cache, &part.sentences)?, device));
            let pieces = scope.spawn(|| Pieces::of_model(&fetched(cache, &part.base)?));
            let llama = adapted(bundle, part, cache, device)?;
            let ended = "a thread that reads a network does not panic";
            Ok(Self {
                sentences: sentences.join().expect(ended)?,
                pieces: pieces.join().expect(ended)?,
                llama,
            })
        })
    }

    /// Puts the writer together; `arrays`: the bundle's of prose, whose thoughts have this spread.
    fn writer(self, arrays: &Weights, spread: &Spread) -> Result<(SentenceEncoder, Writer)> {
        let (llama, adapter) = self.llama;
        let tokens = allowed_tokens(arrays, llama.config().vocabulary)?;
        let (spread, width) = (spread.to_device(llama.device()), llama.config().width);
        let map = adapter.map(|adapter| PrefixMap::load(&adapter, &spread, width));
        let writer = Writer::new(llama, self.pieces, map.transpose()?, tokens)?;
        Ok((self.sentences, writer))
    }
}

/// Where the layers of the adapted model are kept as they are packed: another place for each model's file, adapter, and way to
/// add it.
fn packed_layers(
    bundle: &Bundle,
    part: &LanguageModelPart,
    cache: &Path,
    base: &Path,
) -> Result<PathBuf> {
    const WAY_OF_PACKING: u32 = 1;
    let weights = base.join("model.safetensors");
    let file = if base.is_dir() { &weights } else { base };
    let sum = remembered_sum(file, cache)?;
    let how = format!("{WAY_OF_PACKING} {} {sum}", part.adapter_scale);
    let key = bundle.key(&how, part.adapter.as_deref())?;
    Ok(cache.join("packed").join(key).with_extension("safetensors"))
}

/// Opens the language model with its adapter, if it has one, merged; the adapter's arrays beside it hold the prefix too.
fn adapted(
    bundle: &Bundle,
    part: &LanguageModelPart,
    cache: &Path,
    device: Device,
) -> Result<(Llama, Option<Weights>)> {
    let adapter = part.adapter.as_ref().map(|file| bundle.weights(file));
    let adapter = adapter
        .transpose()?
        .map(|adapter| adapter.to_device(device));
    let base = fetched(cache, &part.base)?;
    // residuals reach 3·10⁴: 16 bits must be those of bfloat16
    let kind = if device.is_cuda() {
        Kind::BFloat16
    } else {
        Kind::Float
    };
    // only a processor packs
    let kept = device == Device::Cpu;
    let kept = kept.then(|| packed_layers(bundle, part, cache, &base));
    let kept = kept.transpose()?;
    let adapted = Adapted {
        adapter: adapter.as_ref(),
        scale: part.adapter_scale,
        kept: kept.as_deref(),
    };
    let llama = Llama::open_for_telling(&base, (kind, device), adapted)?;
    Ok((llama, adapter))
}
