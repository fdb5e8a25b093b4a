//! Stories told from an imported bundle equal those from the raw files, letter by letter.

use models::bundle::vectors::CaptionVectors;
use models::decoding::beam::{BeamOptions, Stop};
use models::decoding::decode_loop::{Strategy, write};
use models::decoding::hypothesis::best;
use models::decoding::rules::Rules;
use models::networks::skip_thoughts::Encoding;
use models::pipeline::options::{Mode, Options};
use models::pipeline::picture::{Caps, original_input};
use models::pipeline::storyteller::{NoWatcher, Request};
use models::text::tokenize::preprocess;
use models::{Beam, Bundle, Gallery, Picture, Storyteller};
use originals::import::Import;
use originals::reader::Original;
use tch::{Device, Kind};

use super::sets::{committed, original, sets};

const PICTURES: [&str; 3] = ["land_rgb.jpg", "square_rgb.png", "gray_l.png"];
const CAPTIONS: usize = 10;
const WIDTH: usize = 5;

fn pictures() -> Vec<Picture> {
    let read = |name: &str| std::fs::read(committed().join("tiny/images").join(name)).unwrap();
    let decode = |name| Picture::decode_as_stored(&read(name), &Caps::default()).unwrap();
    PICTURES.into_iter().map(decode).collect()
}

/// The 2015 story of each picture, by way of the raw files and nothing of a bundle.
fn from_files(original: &Original, decoder: &str) -> Vec<String> {
    let _no_grad = tch::no_grad_guard();
    let eyes = original.vgg(Device::Cpu).unwrap().unwrap();
    let vse = original.vse(Device::Cpu).unwrap();
    let thoughts = original.skip_thoughts(Device::Cpu).unwrap();
    let (decoder, words) = original.decoder(decoder, Device::Cpu).unwrap();
    let styles = original.styles().unwrap();
    let mix = styles.mix(&[("romance".to_owned(), 1.0)], 1.0).unwrap();
    let captions = original.captions().unwrap();
    let refs: Vec<&str> = captions.iter().map(String::as_str).collect();
    let gallery = Gallery::new(captions.clone(), vse.embed_sentences(&refs, &mut |_| {})).unwrap();
    let tell = |picture: &Picture| {
        let feature = eyes.features(&original_input(picture).unsqueeze(0));
        let nearest = gallery.nearest(&vse.embed_images(&feature).get(0), CAPTIONS);
        let texts: Vec<_> = nearest
            .iter()
            .map(|found| preprocess(&captions[found.index]))
            .collect();
        let mean = thoughts.encode(&texts, Encoding::default(), &mut |_| {});
        let thought = styles.shift(&mean.mean_dim(0i64, false, Kind::Float), &mix);
        let options = BeamOptions {
            width: WIDTH,
            rules: Rules::original(1000),
            stop: Stop::WhenDecided,
        };
        let strategies = vec![Strategy::Beam(Beam::new(options))];
        let written = write(&decoder, &thought.view([1, -1]), strategies, &mut |_, _| {
            true
        });
        let found = written
            .into_iter()
            .next()
            .flatten()
            .unwrap()
            .into_hypotheses();
        let ids = best(&found).unwrap().text().to_vec();
        ids.iter()
            .map(|&id| words.word(id))
            .collect::<Vec<_>>()
            .join(" ")
    };
    pictures().iter().map(tell).collect()
}

fn from_bundle(bundle: &std::path::Path, cache: &std::path::Path) -> Vec<String> {
    let teller = Storyteller::open(bundle, cache, Device::Cpu, &mut |_, _, _| {}).unwrap();
    let options = Options {
        captions: CAPTIONS,
        beam_width: WIDTH,
        mode: Mode::Beam,
        strict: true,
        ..Options::default()
    };
    let pictures = pictures();
    let wish = |picture| Request {
        picture,
        options: options.clone(),
    };
    let requests: Vec<Request> = pictures.iter().map(wish).collect();
    let told = teller.tell(&requests, &mut NoWatcher).stories;
    told.into_iter().map(|story| story.unwrap().text).collect()
}

#[test]
fn stories_from_an_imported_bundle_equal_those_from_the_raw_files() {
    for set in sets() {
        for decoder in ["romance", "romance_nodout"] {
            let scratch = tempfile::tempdir().unwrap();
            let original = original(&set, scratch.path());
            let bundle = scratch.path().join("bundle");
            let import = Import {
                decoder: decoder.to_owned(),
                ..Import::default()
            };
            import.run(&original, &bundle, &mut |_, _, _| {}).unwrap();
            Bundle::open(&bundle)
                .unwrap()
                .verify(&mut |_, _, _| {})
                .unwrap();
            let told = from_bundle(&bundle, &scratch.path().join("cache"));
            assert_eq!(
                told,
                from_files(&original, decoder),
                "{} {decoder}",
                set.display()
            );
            assert!(told.iter().any(|story| !story.is_empty()));
        }
    }
}

#[test]
fn an_interrupted_import_goes_on_and_another_one_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let original = original(&sets()[0], scratch.path());
    let bundle = scratch.path().join("bundle");
    let import = Import {
        vectors: CaptionVectors::EmbeddingsAndThoughts,
        ..Import::default()
    };
    import.run(&original, &bundle, &mut |_, _, _| {}).unwrap();
    let whole = std::fs::read(bundle.join("bundle.toml")).unwrap();
    std::fs::remove_file(bundle.join("bundle.toml")).unwrap();
    std::fs::write(bundle.join("decoder.safetensors"), b"half a file").unwrap();
    std::fs::remove_file(bundle.join("caption_vectors.safetensors")).unwrap();
    import.run(&original, &bundle, &mut |_, _, _| {}).unwrap();
    assert_eq!(std::fs::read(bundle.join("bundle.toml")).unwrap(), whole);
    let halved = Import {
        kind: Kind::Half,
        ..import
    };
    let error = halved
        .run(&original, &bundle, &mut |_, _, _| {})
        .unwrap_err();
    assert!(error.to_string().contains("another bundle"), "{error}");
    let half = scratch.path().join("half");
    halved.run(&original, &half, &mut |_, _, _| {}).unwrap();
    let size =
        |folder: &std::path::Path| folder.join("decoder.safetensors").metadata().unwrap().len();
    assert!(size(&half) * 3 < size(&bundle) * 2);
}
