//! The score of 300 captions for five pictures, term by term, and what the council makes of it.

use super::golden::{Golden, assert_close, bundle, folder, weights};
use models::Weights;
use models::networks::joint::Joint;
use models::pipeline::seeing::consensus::{Council, first_of_each};
use models::pipeline::seeing::mentions::Mentions;
use models::pipeline::seeing::objects::{Belief, Evidence};
use models::pipeline::seeing::readings::Readings;
use models::pipeline::seeing::score::{Term, Weights as TermWeights};
use models::pipeline::seeing::{Look, PhotoLook, Recipe, Seeing};
use serde_json::Value;
use tch::{Kind, Tensor};

const PICTURES: [&str; 5] = ["coffee", "dogs", "coco723", "coco8629", "coco605"];
const TOLERANCE: f64 = 2e-5;

/// The reference's recipe: absent objects cost, seen ones bring nothing, and agreement alone chooses.
fn recipe() -> Recipe {
    let belief = toml::from_str(
        "weight = 0\nline = 0\nscore = 0\nusual = 0\nperson = 0\nperson_score = 0\nrival = 0\nshare = 0\nshare_score = 0\nconstant = 0",
    );
    Recipe {
        weights: TermWeights {
            joint: 1.0,
            recognised: 1.0,
            detected: 0.5,
            hub: -0.25,
            objects: 0.1,
        },
        evidence: Evidence {
            line: 0.2,
            least: -1.5,
            most: 0.0,
            person: 0.3,
        },
        unsure: 1.0,
        neighbours: 10,
        council: Council {
            best: 100,
            temperature: 0.06,
        },
        belief: belief.unwrap(),
    }
}

struct Scene {
    golden: Golden,
    seeing: Seeing,
    captions: Vec<String>,
    sources: Vec<i64>,
    readings: Readings,
}

impl Scene {
    fn open() -> Self {
        Self::with_joints(|joint| vec![joint])
    }

    /// With the joint spaces that are made of the reference's.
    fn with_joints(made: impl FnOnce(Weights) -> Vec<Weights>) -> Self {
        let golden = Golden::open("score.safetensors");
        let joint = joint();
        let arrays = joint
            .iter()
            .map(|(name, array)| (name.to_owned(), array.shallow_clone()));
        let bank = ("bank".to_owned(), golden.array("base.bank"));
        let joint = Weights::from_tensors("base", arrays.chain([bank]));
        let names = weights("names.safetensors");
        let seeing = Seeing::load(recipe(), &made(joint), &names, mentions()).unwrap();
        let gallery = gallery();
        let text = |entry: &Value| entry["caption"].as_str().unwrap().to_owned();
        let captions: Vec<String> = gallery.iter().map(text).collect();
        let vectors = Golden::open("gallery.safetensors").array("vectors");
        Self {
            readings: seeing.read(&captions, vectors).unwrap(),
            sources: gallery
                .iter()
                .map(|entry| entry["source"].as_i64().unwrap())
                .collect(),
            golden,
            seeing,
            captions,
        }
    }

    fn look(&self, picture: usize) -> Look {
        let row = |name: &str| self.golden.array(name).get(picture as i64);
        Look {
            photo: PhotoLook {
                feature: row("lite0"),
                likely: row("logits").softmax(0, Kind::Float),
            },
            nanodet: row("nanodet"),
            beside: None,
        }
    }
}

/// The reference's joint space. Its map of pictures is given by its part along the features of the five of them: no other part of it
/// is asked for.
fn joint() -> Weights {
    let held = Weights::from_safetensors(&folder().join("joint.safetensors")).unwrap();
    let part = |name: &str| held.tensor(name, &[-1, -1]).unwrap();
    let map = part("image.left").matmul(&part("image.right"));
    let others = held
        .iter()
        .filter(|(name, _)| !["image.left", "image.right"].contains(name));
    let others = others.map(|(name, array)| (name.to_owned(), array.shallow_clone()));
    let all = others.chain([("image.weight".to_owned(), map)]);
    Weights::from_tensors("the reference's joint space", all)
}

fn gallery() -> Vec<Value> {
    let text = std::fs::read_to_string(folder().join("gallery.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn mentions() -> Mentions {
    let text = std::fs::read_to_string(bundle().join("mentions.tsv")).unwrap();
    Mentions::parse("mentions.tsv", &text).unwrap()
}

#[test]
fn captions_name_the_classes_that_the_reference_found() {
    let mentions = mentions();
    for entry in gallery() {
        let caption = entry["caption"].as_str().unwrap();
        let wanted: Vec<usize> = serde_json::from_value(entry["mentions"].clone()).unwrap();
        assert_eq!(mentions.of(caption), wanted, "{caption}");
    }
}

#[test]
fn every_term_of_every_caption_is_the_references() {
    let scene = Scene::open();
    for (picture, name) in PICTURES.into_iter().enumerate() {
        let look = scene.look(picture);
        let parts = scene.seeing.parts(&look, &scene.readings);
        let row = |name: &str| scene.golden.array(name).get(picture as i64);
        assert_close(
            name,
            &scene.seeing.images(&look)[0],
            &row("base.image"),
            TOLERANCE,
        );
        for (term, golden, unit) in [
            (Term::Joint, "joint", 1.0),
            (Term::Recognised, "conse", 1.0),
            (Term::Detected, "detector", 1.0),
            (Term::Objects, "penalty", 0.1),
        ] {
            let found = Tensor::from_slice(parts.of(term)) * unit;
            let wanted = row(&format!("base.{golden}"));
            assert_close(&format!("{golden} of {name}"), &found, &wanted, TOLERANCE);
        }
        let hub = Tensor::from_slice(parts.of(Term::Hub));
        assert_close("hub", &hub, &scene.golden.array("base.hub"), TOLERANCE);
        let totals = parts.totals(&recipe().weights);
        let (found, wanted) = (Tensor::from_slice(&totals), row("base.total"));
        assert_close("total", &found, &wanted, TOLERANCE);
        let why: f32 = parts
            .why(7, &recipe().weights)
            .iter()
            .map(|(_, value)| value)
            .sum();
        assert!(
            (why - totals[7]).abs() < 1e-5,
            "the reasons add up to the score"
        );
    }
}

/// The same joint space, that reads a second photo network, too.
fn with_a_second(joint: &Weights) -> Weights {
    tch::manual_seed(1);
    let random = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, tch::Device::Cpu));
    let more = |name: &str, array: &Tensor| match name {
        "image.weight" => Tensor::cat(&[array, &(random(&[512, 1280]) * 0.02)], 1),
        "feature_mean" => Tensor::cat(&[array, &random(&[1280])], 0),
        "feature_sd" => Tensor::cat(&[array, &(random(&[1280]).abs() + 0.1)], 0),
        _ => array.shallow_clone(),
    };
    let arrays = joint.iter();
    let arrays = arrays.map(|(name, array)| (name.to_owned(), more(name, array)));
    Weights::from_tensors("wide", arrays)
}

#[test]
fn where_the_second_photo_network_did_not_look_all_is_as_if_it_had_seen_the_usual() {
    let mut usual = None;
    let scene = Scene::with_joints(|joint| {
        let wide = with_a_second(&joint);
        let mean = wide.tensor("feature_mean", &[3152]).unwrap();
        usual = Some(mean.narrow(0, 1872, 1280));
        vec![wide]
    });
    let usual = usual.unwrap();
    assert_eq!(scene.seeing.features(), 3152);
    for (picture, name) in PICTURES.into_iter().enumerate() {
        let mut look = scene.look(picture);
        let without = scene.seeing.parts(&look, &scene.readings);
        let mut see = |feature: Tensor| {
            look.beside = Some(PhotoLook {
                feature,
                likely: look.photo.likely.shallow_clone(),
            });
            scene.seeing.parts(&look, &scene.readings)
        };
        let with_usual = see(usual.shallow_clone());
        let with_another = see(&usual + 1.0);
        for term in Term::ALL {
            let (found, wanted) = (with_usual.of(term), without.of(term));
            assert_close(
                name,
                &Tensor::from_slice(found),
                &Tensor::from_slice(wanted),
                TOLERANCE,
            );
        }
        assert_ne!(
            with_another.of(Term::Joint),
            without.of(Term::Joint),
            "{name}"
        );
    }
}

#[test]
fn what_two_photo_networks_recognise_counts_half_each() {
    let scene = Scene::open();
    for (picture, name) in PICTURES.into_iter().enumerate() {
        let mut look = scene.look(picture);
        let alone = scene.seeing.parts(&look, &scene.readings);
        let other = scene.look((picture + 1) % PICTURES.len()).photo;
        let shared = (&look.photo.likely + &other.likely) / 2.0;
        look.beside = Some(other);
        let both = scene.seeing.parts(&look, &scene.readings);
        let joint = [&both, &alone].map(|parts| parts.of(Term::Joint));
        assert_eq!(
            joint[0], joint[1],
            "the reference's joint space reads one photo network"
        );
        look.beside = None;
        look.photo.likely = shared;
        let halved = scene.seeing.parts(&look, &scene.readings);
        assert_eq!(
            both.of(Term::Recognised),
            halved.of(Term::Recognised),
            "{name}"
        );
        assert_ne!(
            both.of(Term::Recognised),
            alone.of(Term::Recognised),
            "{name}"
        );
    }
}

/// The product with a caption is affine in its vector along the picture's direction, but for the caption's length.
#[test]
fn a_picture_points_along_what_its_joint_space_asks() {
    let scene = Scene::open();
    let joint = Joint::load(&joint()).unwrap();
    let vectors = Golden::open("gallery.safetensors").array("vectors");
    for (picture, name) in PICTURES.into_iter().enumerate() {
        let look = scene.look(picture);
        let direction = scene.seeing.direction(&look);
        let length = direction.square().sum(Kind::Float).double_value(&[]);
        assert!((length - 1.0).abs() < 1e-5, "{name}: {length}");
        let parts = scene.seeing.parts(&look, &scene.readings);
        let asked = Tensor::from_slice(parts.of(Term::Joint)) * joint.text_with_lengths(&vectors).1;
        let along = vectors.mv(&direction);
        let apart = |all: &Tensor| all - all.mean(Kind::Float);
        let (asked, along) = (apart(&asked), apart(&along));
        let size = asked.square().sum(Kind::Float) / along.square().sum(Kind::Float);
        assert_close(name, &asked, &(along * size.sqrt()), 1e-3);
    }
}

#[test]
fn the_council_agrees_as_the_references_does() {
    let scene = Scene::open();
    for (picture, name) in PICTURES.into_iter().enumerate() {
        let totals =
            Vec::<f32>::try_from(scene.golden.array("base.total").get(picture as i64)).unwrap();
        let vectors = Golden::open("gallery.safetensors").array("vectors");
        let council = recipe().council.agree(&totals, |rows| {
            vectors.index_select(0, &Tensor::from_slice(rows))
        });
        let array = |what: &str| scene.golden.array(&format!("base.{name}.{what}"));
        let rows: Vec<i32> = Vec::try_from(array("consensus_rows")).unwrap();
        let found: Vec<i32> = council.iter().map(|member| member.row as i32).collect();
        assert_eq!(found, rows, "{name}");
        let agreement: Vec<f32> = council.iter().map(|member| member.agreement).collect();
        assert_close(
            name,
            &Tensor::from_slice(&agreement),
            &array("agreement"),
            TOLERANCE,
        );
    }
}

#[test]
fn the_captions_told_are_the_references_first_ten_one_of_each_source() {
    let scene = Scene::open();
    let text = std::fs::read_to_string(folder().join("score.json")).unwrap();
    let printed: Value = serde_json::from_str(&text).unwrap();
    for (picture, name) in PICTURES.into_iter().enumerate() {
        let look = scene.look(picture);
        let found = scene
            .seeing
            .find(&look, &scene.readings, 10, |row| Some(scene.sources[row]));
        let wanted: Vec<&str> = printed["base"][picture]["top_10"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["caption"].as_str().unwrap())
            .collect();
        let told: Vec<&str> = found
            .iter()
            .map(|one| scene.captions[one.row].as_str())
            .collect();
        assert_eq!(told, wanted, "{name}");
        assert!(found.iter().all(|one| one.objects == 0.0));
    }
}

#[test]
fn the_same_source_is_told_once() {
    let sources = [1, 1, 2, 3, 2, 4];
    assert_eq!(first_of_each(0..6, 3, |row| sources[row]), [0, 2, 3]);
    assert_eq!(first_of_each([4, 2, 1, 0], 9, |row| sources[row]), [4, 1]);
}

#[test]
fn a_class_is_believed_in_when_the_detector_or_the_council_is_sure() {
    let belief: Belief = toml::from_str(
        "weight = 1\nline = 0.5\nscore = 1\nusual = 0\nperson = -1\nperson_score = 0\nrival = 0\nshare = 1\nshare_score = 0\nconstant = 0",
    )
    .unwrap();
    let likely = |score: f32, share: f32| belief.of(&[0.5, score], &[0.1, 0.1], &[0.5, share])[1];
    assert!(likely(0.9, 0.5) > 0.85 && likely(0.5, 0.9) > 0.85);
    assert!(likely(0.1, 0.1) < 0.05);
    let person = belief.of(&[0.5], &[0.1], &[0.5])[0];
    assert!((person - 1.0 / (1.0 + 1f32.exp())).abs() < 1e-6, "{person}");
}

#[test]
fn readings_that_were_kept_are_those_that_were_made_and_broken_ones_are_made_anew() {
    let scene = Scene::open();
    let vectors = Golden::open("gallery.safetensors").array("vectors");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gallery/readings");
    let recall = || {
        let vectors = vectors.shallow_clone();
        let recalled = scene.seeing.recall(&scene.captions, vectors, &file);
        recalled.unwrap()
    };
    let same = |readings: &Readings| {
        let look = scene.look(0);
        let (found, wanted) = (
            scene.seeing.parts(&look, readings),
            scene.seeing.parts(&look, &scene.readings),
        );
        for term in [Term::Joint, Term::Recognised, Term::Hub, Term::Objects] {
            assert_eq!(found.of(term), wanted.of(term), "{term:?}");
        }
    };
    same(&recall());
    let path = file.with_extension("safetensors");
    let kept = std::fs::read(&path).unwrap();
    let made = std::fs::metadata(&path).unwrap().modified().unwrap();
    same(&recall());
    let again = std::fs::metadata(&path).unwrap().modified().unwrap();
    assert_eq!(made, again, "what is there is not written again");
    // half a file, classes that the detector has not, another gallery's
    std::fs::write(&path, &kept[..kept.len() / 2]).unwrap();
    same(&recall());
    assert_eq!(std::fs::read(&path).unwrap(), kept);
    let held = Weights::from_safetensors(&path).unwrap();
    let foreign = |name: &str, array: &Tensor| match name {
        "classes" => array + 80.0,
        _ => array.shallow_clone(),
    };
    let arrays = held.iter();
    let arrays = arrays.map(|(name, array)| (name.to_owned(), foreign(name, array)));
    let arrays = Weights::from_tensors("foreign", arrays.collect::<Vec<_>>());
    arrays.save(&path, Kind::Float).unwrap();
    same(&recall());
    assert_eq!(std::fs::read(&path).unwrap(), kept);
}
