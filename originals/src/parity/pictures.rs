//! Pictures as the original's network saw them, and every layer of that network.
//!
//! JPEG decoders round differently: where the original's own pixels are in the set they are used, else JPEGs are held
//! against a looser measure. Palettes, 16 bits, transparency and CMYK we read properly on purpose, the original did not:
//! those pictures are only decoded here.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::facts::{Fact, Facts, Numbers};
use super::leftovers::Files;
use super::{CLOSE, Group, Report};
use crate::reader::{Original, read_vgg};
use models::pipeline::picture::{Caps, original_input};
use models::{Error, Picture, Result, Vgg};

/// What another JPEG decoder may make of a picture, as a share of the largest number.
const JPEG: f64 = 0.05;
/// Pictures of these PIL modes are read as the original read them.
const SAME_MODES: [&str; 2] = ["RGB", "L"];

/// Checks the folder if it holds pictures with their numbers.
pub(super) fn check(folder: &Path, name: &str, files: &mut Files, report: &mut Report) {
    let golden = |kind: &str| folder.join(format!("golden_images.{kind}"));
    if !golden("json").exists() {
        return;
    }
    let (mut opened, device) = (None, report.device);
    report.group(format!("{name} preprocessing"), CLOSE, |group| {
        let (numbers, facts) = (
            Numbers::open(&golden("npz"), Device::Cpu)?,
            Facts::open(&golden("json"))?,
        );
        let (numbers, facts) = opened.insert((numbers, facts));
        each(folder, facts, &mut |image| {
            preprocessing(&image, numbers, group)
        })
    });
    let Some((numbers, facts)) = opened else {
        return;
    };
    report.group(format!("{name} image network"), CLOSE, |group| {
        let vgg = vgg(folder, device)?.ok_or_else(|| {
            Error::format(
                folder.display().to_string(),
                "it holds no image network, such as vgg19.pkl",
            )
        })?;
        each(folder, &facts, &mut |image| {
            layers(&image, (&vgg, &numbers, device), group)
        })
    });
    report.group(
        format!("{name} pictures read better on purpose"),
        0.0,
        |group| {
            each(folder, &facts, &mut |image| {
                read_better(&image, &numbers, group)
            })
        },
    );
    protocols(folder, name, files, report);
    for entry in ["preprocessing", "versions", "layers"] {
        facts.root().find(entry).iter().for_each(Fact::seen);
    }
    files.read(folder.join("vgg19.pkl"));
    files.facts(&golden("json"), &facts);
    files.numbers(&golden("npz"), &numbers);
    let images = facts.root();
    for (image, _) in images.find("images").iter().flat_map(Fact::entries) {
        files.read(folder.join(image));
    }
}

/// The same network in the oldest protocol of pickles, where it is there.
fn protocols(folder: &Path, name: &str, files: &mut Files, report: &mut Report) {
    let other = folder.join("vgg19_p0.pkl");
    if other.exists() {
        report.group(format!("{name} pickle protocols"), 0.0, |group| {
            let plain = read_vgg(&folder.join("vgg19.pkl"))?;
            let old = read_vgg(&other)?;
            for (name, array) in plain.iter() {
                let same = old.tensor(name, &array.size())?.equal(array);
                group.holds(&format!("{name} differs in vgg19_p0.pkl"), same);
            }
            files.read(other);
            Ok(())
        });
    }
}

/// The image network of a folder, if it is there.
pub(super) fn vgg(folder: &Path, device: Device) -> Result<Option<Vgg>> {
    match folder.exists() {
        true => Original::open(folder)?.vgg(device),
        false => Ok(None),
    }
}

/// A picture file with its pixels as they are stored: the original knew no EXIF.
pub(super) fn as_stored(file: &Path) -> Result<Picture> {
    let bytes = std::fs::read(file).map_err(|error| Error::file("read", file, error))?;
    Picture::decode_as_stored(&bytes, &Caps::default())
}

/// One picture of the set.
struct Image<'a> {
    name: &'a str,
    file: std::path::PathBuf,
    fact: Fact<'a>,
}

impl Image<'_> {
    fn key(&self, part: &str) -> String {
        format!("{}__{part}", self.name.replace('.', "_"))
    }

    /// Whether the original read it as we do.
    fn is_comparable(&self) -> Result<bool> {
        let mode = self.fact.get("pil_mode")?.text()?;
        Ok(SAME_MODES.contains(&mode) && self.fact.find("error").is_none())
    }

    /// The pixels (H, W, 3) that the original had decoded.
    fn decoded(&self, numbers: &Numbers) -> Option<Tensor> {
        let pixels = numbers.find(&self.key("decoded"))?;
        Some(match pixels.dim() {
            2 => pixels.unsqueeze(2).repeat([1, 1, 3]),
            _ => pixels,
        })
    }

    fn is_jpeg(&self) -> bool {
        self.name.ends_with("jpg")
    }

    /// The network's input (1, 3, 224, 224), and what may be wrong with it: the pixels that the original had decoded if
    /// they are known.
    fn input(&self, numbers: &Numbers) -> Result<(Tensor, f64)> {
        let mut picture = as_stored(&self.file)?;
        let mut tolerance = if self.is_jpeg() { JPEG } else { CLOSE };
        if let Some(pixels) = self.decoded(numbers) {
            let flat = pixels.to_kind(Kind::Uint8).contiguous();
            let mut rgb = vec![0u8; flat.numel()];
            flat.copy_data(&mut rgb, flat.numel());
            if rgb.len() == picture.rgb.len() {
                picture.rgb = rgb;
                tolerance = CLOSE;
            }
        }
        Ok((original_input(&picture).unsqueeze(0), tolerance))
    }
}

fn each(folder: &Path, facts: &Facts, work: &mut dyn FnMut(Image) -> Result<()>) -> Result<()> {
    for (name, fact) in facts.root().get("images")?.entries() {
        let file = folder.join(name);
        work(Image { name, file, fact })?;
    }
    Ok(())
}

fn preprocessing(image: &Image, numbers: &Numbers, group: &mut Group) -> Result<()> {
    for about in ["array_dtype", "array_shape", "im_dtype", "im_shape"] {
        image.fact.find(about).iter().for_each(Fact::seen);
    }
    if !image.is_comparable()? {
        return Ok(());
    }
    if let Some(decoded) = image.decoded(numbers) {
        let picture = as_stored(&image.file)?;
        let shape = [i64::from(picture.height), i64::from(picture.width), 3];
        let found = Tensor::from_slice(&picture.rgb).view(shape);
        let gap = (found.to_kind(Kind::Float) - decoded).abs();
        group.within_of(
            &image.key("decoded"),
            gap.mean(Kind::Double).double_value(&[]) / 255.0,
            JPEG,
        );
    }
    let (input, tolerance) = image.input(numbers)?;
    let mut close = |part: &str, found: Tensor| {
        if let Some(wanted) = numbers.find(&image.key(part)) {
            let error = error(&found, &wanted);
            group.within_of(&image.key(part), error, tolerance);
        }
    };
    close("im", input.shallow_clone());
    close("im_s7", input.slice(2, 0, None, 7).slice(3, 0, None, 7));
    close("im_corner", input.narrow(2, 0, 4).narrow(3, 0, 4));
    if let Some(raw) = numbers.find(&image.key("rawim")) {
        // bytes, before means are taken away and channels turned round
        let means = Tensor::from_slice(&[103.939f32, 116.779, 123.68]).view([3, 1, 1]);
        let found = (input.get(0) + means).flip(0).permute([1, 2, 0]);
        // the original cut the fractions off
        let below = (&raw - &found).clamp_min(0.0);
        let above = (found - raw - 1.0).clamp_min(0.0);
        let gap = (below + above).max().double_value(&[]);
        group.within_of(&image.key("rawim"), gap / 255.0, tolerance);
    }
    summary(&input, &image.fact, ("im_", tolerance), group)
}

/// Largest, smallest, mean and spread of an array, held against its largest number.
fn summary(found: &Tensor, fact: &Fact, how: (&str, f64), group: &mut Group) -> Result<()> {
    let (prefix, tolerance) = how;
    let found = found.to_kind(Kind::Double);
    let scale = found.abs().max().double_value(&[]).max(1e-3);
    let spread = |unbiased| found.std(unbiased).double_value(&[]);
    for (name, value) in [
        ("max", found.max().double_value(&[])),
        ("min", found.min().double_value(&[])),
        ("mean", found.mean(Kind::Double).double_value(&[])),
        ("std", spread(false)),
    ] {
        if let Some(wanted) = fact.find(&format!("{prefix}{name}")) {
            let error = (value - wanted.number()?).abs() / scale;
            group.within_of(&format!("{prefix}{name}"), error, tolerance);
        }
    }
    Ok(())
}

fn error(found: &Tensor, wanted: &Tensor) -> f64 {
    if found.size() != wanted.size() {
        return f64::NAN;
    }
    let scale = wanted.abs().max().double_value(&[]).max(1e-3);
    (found - wanted).abs().max().double_value(&[]) / scale
}

fn layers(image: &Image, with: (&Vgg, &Numbers, Device), group: &mut Group) -> Result<()> {
    let (vgg, numbers, device) = with;
    if !image.is_comparable()? {
        return Ok(());
    }
    let (input, tolerance) = image.input(numbers)?;
    let about = image.fact.find("layers");
    let mut trouble = Ok(());
    vgg.layers(&input.to_device(device), &mut |name, output| {
        let output = &output.to_device(Device::Cpu);
        let mut close = |part: &str, found: &Tensor| {
            if let Some(wanted) = numbers.find(&image.key(part)) {
                group.within_of(&image.key(part), error(found, &wanted), tolerance);
            }
        };
        close(name, output);
        if name == "fc7" {
            close("fc7_compute_features", output);
        }
        if output.dim() == 4 {
            let samples = output.slice(2, 0, None, 9).slice(3, 0, None, 9);
            close(&format!("{name}_s9"), &samples);
        }
        if let Some(fact) = about.as_ref().and_then(|about| about.find(name)) {
            fact.find("shape").iter().for_each(Fact::seen);
            let done = summary(output, &fact, ("", tolerance), group);
            trouble = std::mem::replace(&mut trouble, Ok(())).and(done);
        }
    });
    if let Some(gap) = image.fact.find("compute_features_maxdiff_vs_compiled") {
        group.near("the original against itself", gap.number()?, 0.0);
    }
    trouble
}

/// What the original refused or misread is a picture here.
fn read_better(image: &Image, numbers: &Numbers, group: &mut Group) -> Result<()> {
    let size = image.fact.get("pil_size_wh")?.wholes()?;
    let picture = as_stored(&image.file)?;
    let found = vec![i64::from(picture.width), i64::from(picture.height)];
    group.same(&format!("{}: width and height", image.name), found, size);
    if image.is_comparable()? {
        return Ok(());
    }
    let (least, most) = (picture.rgb.iter().min(), picture.rgb.iter().max());
    let spread = most.zip(least).map_or(0, |(most, least)| most - least);
    group.holds(&format!("{} is all one colour", image.name), spread > 20);
    // its numbers tell what the original made of it; ours are others on purpose
    for (name, fact) in image.fact.entries() {
        if name != "pil_size_wh" && name != "pil_mode" {
            fact.seen();
        }
    }
    let start = image.key("");
    let parts: Vec<String> = numbers.names(&start).map(str::to_owned).collect();
    for part in parts {
        let known = numbers.find(&image.key(&part)).is_some();
        group.holds(&format!("{}{part}", start), known);
    }
    group.note(format!("{} differs by design", image.name));
    Ok(())
}
