//! What is known about captions: put into a bundle by an import, or kept in the cache; either way the same stories.
#![allow(clippy::unwrap_used)]

use models::bundle::vectors::{CaptionVectors, add_to};
use models::bundle::{fixture, sha256_of_file};
use models::pipeline::options::Options;
use models::pipeline::storyteller::{NoWatcher, Request, Story};
use models::{Bundle, Picture, Storyteller};
use std::path::Path;
use tch::Device;

fn story(bundle: &Path, cache: &Path) -> Story {
    let teller = Storyteller::open(bundle, cache, Device::Cpu, &mut |_, _, _| {}).unwrap();
    let pixels = (0..256 * 256 * 3u32).map(|n| (n * 7 % 253) as u8).collect();
    let picture = Picture {
        width: 256,
        height: 256,
        rgb: pixels,
    };
    let options = Options {
        captions: 12,
        beam_width: 5,
        max_words: 20,
        ..Options::default()
    };
    let request = Request {
        picture: &picture,
        options,
    };
    let told = teller.tell(&[request], &mut NoWatcher);
    told.stories.into_iter().next().unwrap().unwrap()
}

#[test]
fn a_bundle_with_vectors_needs_no_cache_and_finds_the_same_captions() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, cache) = (folder.path().join("bundle"), folder.path().join("cache"));
    fixture::write_bundle(&bundle, 1).unwrap();
    let computed = story(&bundle, &folder.path().join("other cache"));
    for wanted in [
        CaptionVectors::Embeddings,
        CaptionVectors::EmbeddingsAndThoughts,
    ] {
        let copy = folder.path().join(format!("{wanted:?}"));
        fixture::write_bundle(&copy, 1).unwrap();
        add_to(&copy, wanted, Device::Cpu, &mut |_, _, _| {}).unwrap();
        Bundle::open(&copy)
            .unwrap()
            .verify(&mut |_, _, _| {})
            .unwrap();
        let sum = sha256_of_file(&copy.join("caption_vectors.safetensors")).unwrap();
        let told = story(&copy, &cache);
        assert!(
            !cache.join("gallery").exists(),
            "nothing had to be computed"
        );
        let near = told.captions.iter().zip(&computed.captions);
        // the cache rounds to 16 bits, the bundle does not
        assert!(
            near.clone()
                .all(|(a, b)| (a.similarity - b.similarity).abs() < 2e-3)
        );
        assert_eq!(told.captions.len(), 12);
        add_to(&copy, wanted, Device::Cpu, &mut |_, _, _| {
            panic!("it has them")
        })
        .unwrap();
        assert_eq!(
            sum,
            sha256_of_file(&copy.join("caption_vectors.safetensors")).unwrap()
        );
    }
}

#[test]
fn an_interrupted_computation_leaves_a_whole_bundle_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    fixture::write_bundle(&bundle, 1).unwrap();
    let wanted = CaptionVectors::EmbeddingsAndThoughts;
    let mut stop = |what: &str, done: usize, _: usize| {
        assert!(
            what != "reading the captions" || done == 0,
            "the power fails"
        );
    };
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        add_to(&bundle, wanted, Device::Cpu, &mut stop)
    }));
    assert!(broken.is_err());
    assert!(bundle.join("caption_vectors.draft").exists());
    Bundle::open(&bundle)
        .unwrap()
        .verify(&mut |_, _, _| {})
        .unwrap();
    let mut placed_again = false;
    let mut watch = |what: &str, done: usize, of: usize| {
        placed_again |= what == "placing the captions" && done < of;
    };
    add_to(&bundle, wanted, Device::Cpu, &mut watch).unwrap();
    assert!(!placed_again, "the embeddings were there already");
    let whole = folder.path().join("whole");
    fixture::write_bundle(&whole, 1).unwrap();
    add_to(&whole, wanted, Device::Cpu, &mut |_, _, _| {}).unwrap();
    let sum = |bundle: &Path| sha256_of_file(&bundle.join("caption_vectors.safetensors")).unwrap();
    assert_eq!(sum(&bundle), sum(&whole), "as if nothing had happened");
    assert!(!bundle.join("caption_vectors.draft").exists());
}

#[test]
fn verifying_names_every_damaged_file_whatever_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    fixture::write_bundle(&bundle, 1).unwrap();
    for file in ["vse.safetensors", "captions.txt"] {
        let mut bytes = std::fs::read(bundle.join(file)).unwrap();
        bytes[0] ^= 1;
        std::fs::write(bundle.join(file), bytes).unwrap();
    }
    let opened = Bundle::open(&bundle).unwrap().remembering(folder.path());
    let reason = opened.verify(&mut |_, _, _| {}).unwrap_err().to_string();
    assert!(
        reason.contains("vse.safetensors") && reason.contains("captions.txt"),
        "{reason}"
    );
    assert!(!reason.contains("decoder"), "{reason}");
}
