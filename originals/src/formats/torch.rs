//! PyTorch's file format before 1.6: four pickles, a list of storages, then their raw numbers.
//!
//! The published EfficientNet-Lite0 weights are such a file. Tensors are views into storages with
//! offset and strides; all become contiguous f32 arrays. Counters (whole numbers) are taken too.

use super::pickle::{Value, read_pickle};
use models::tensors::shape::is_possible;
use models::{Error, Result, Weights};
use std::collections::HashMap;
use std::path::Path;
use tch::{Kind, Tensor};

/// Reads the named tensors of a `.pth` file in the old format.
///
/// # Errors
/// When the file cannot be read, has another format, or is cut off.
pub fn read_pth(path: &Path) -> Result<Weights> {
    let bytes = std::fs::read(path).map_err(|e| Error::file("read", path, e))?;
    let label = path.display().to_string();
    let arrays = tensors(&bytes).map_err(|reason| Error::format(&label, reason))?;
    Ok(Weights::from_tensors(label, arrays))
}

fn tensors(bytes: &[u8]) -> Result<Vec<(String, Tensor)>, String> {
    let mut at = 0;
    let mut next = || -> Result<Value, String> {
        let (value, length) = read_pickle(&bytes[at..]).map_err(|e| e.to_string())?;
        at += length;
        Ok(value)
    };
    let (_magic, _protocol, _system) = (next()?, next()?, next()?);
    let (object, keys) = (next()?, next()?);
    let Value::Dict(entries) = object else {
        return Err("it holds no named tensors".to_owned());
    };
    let mut views = Vec::new();
    for (name, value) in &entries {
        let name = name.as_text().ok_or("a tensor without a name")?;
        views.push((
            name.to_owned(),
            View::read(value).ok_or_else(|| format!("{name} is no tensor"))?,
        ));
    }
    let kinds: HashMap<&str, Kind> = views
        .iter()
        .map(|(_, v)| (v.storage.as_str(), v.kind))
        .collect();
    let storages = storages(&bytes[at..], &keys, &kinds)?;
    let tensor = |(name, view): (String, View)| {
        let tensor = view
            .tensor(&storages)
            .ok_or_else(|| format!("{name} lies outside its storage"))?;
        Ok((name, tensor))
    };
    views.into_iter().map(tensor).collect()
}

/// The raw numbers behind the pickles: for each key a count and as many numbers.
fn storages(
    bytes: &[u8],
    keys: &Value,
    kinds: &HashMap<&str, Kind>,
) -> Result<HashMap<String, Tensor>, String> {
    let mut rest = bytes;
    let mut storages = HashMap::new();
    for key in keys.as_items().ok_or("the storages are not listed")? {
        let key = key.as_text().ok_or("a storage without a key")?;
        let kind = *kinds
            .get(key)
            .ok_or_else(|| format!("storage {key} belongs to no tensor"))?;
        let count = rest
            .get(..8)
            .and_then(|b| b.try_into().ok())
            .map(u64::from_le_bytes);
        let count = count.ok_or("the file ends too early")? as usize;
        let size = kind.elt_size_in_bytes();
        let length = count.checked_mul(size).ok_or("a storage is too large")?;
        let data = rest[8..].get(..length).ok_or("the file ends too early")?;
        storages.insert(
            key.to_owned(),
            Tensor::from_data_size(data, &[count as i64], kind),
        );
        rest = &rest[8 + length..];
    }
    Ok(storages)
}

/// How a tensor lies in its storage.
struct View {
    storage: String,
    kind: Kind,
    offset: i64,
    shape: Vec<i64>,
    strides: Vec<i64>,
}

impl View {
    fn read(value: &Value) -> Option<Self> {
        let Value::Call(name, args) = value else {
            return None;
        };
        if !name.starts_with("torch._utils._rebuild_tensor") {
            return None;
        }
        let [Value::Persistent(storage), offset, shape, strides, ..] = args.as_slice() else {
            return None;
        };
        let [_, Value::Global(class), key, ..] = storage.as_items()? else {
            return None;
        };
        let numbers =
            |v: &Value| -> Option<Vec<i64>> { v.as_items()?.iter().map(Value::as_int).collect() };
        let kind = match class.as_str() {
            "torch.FloatStorage" => Kind::Float,
            "torch.HalfStorage" => Kind::Half,
            "torch.DoubleStorage" => Kind::Double,
            "torch.LongStorage" => Kind::Int64,
            "torch.IntStorage" => Kind::Int,
            _ => return None,
        };
        Some(Self {
            storage: key.as_text()?.to_owned(),
            kind,
            offset: offset.as_int()?,
            shape: numbers(shape)?,
            strides: numbers(strides)?,
        })
    }

    fn tensor(&self, storages: &HashMap<String, Tensor>) -> Option<Tensor> {
        let storage = storages.get(&self.storage)?;
        let held = storage.size()[0];
        let sane = self.shape.len() == self.strides.len()
            && self.offset >= 0
            && self.shape.iter().chain(&self.strides).all(|&n| n >= 0);
        // a view that repeats its storage would unfold to any size
        let count = self
            .shape
            .iter()
            .try_fold(1i64, |n, &extent| n.checked_mul(extent))?;
        let extents = self.shape.iter().zip(&self.strides);
        let last = extents.map(|(n, stride)| (n - 1).max(0).saturating_mul(*stride));
        let last = last.fold(self.offset, i64::saturating_add);
        let inside = count == 0 || (count <= held && last < held);
        let possible = is_possible(self.shape.iter().map(|&extent| extent as usize));
        (sane && inside && possible).then(|| {
            storage
                .as_strided(&self.shape, &self.strides, self.offset)
                .contiguous()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_outside_its_storage_is_refused() {
        let storages =
            HashMap::from([("s".to_owned(), Tensor::from_slice(&[1f32, 2.0, 3.0, 4.0]))]);
        let view = |offset, shape: &[i64], strides: &[i64]| {
            let (shape, strides) = (shape.to_vec(), strides.to_vec());
            let view = View {
                storage: "s".to_owned(),
                kind: Kind::Float,
                offset,
                shape,
                strides,
            };
            view.tensor(&storages).map(|tensor| tensor.size())
        };
        assert_eq!(view(1, &[2, 1], &[1, 7]), Some(vec![2, 1]));
        assert_eq!(view(0, &[2, 2], &[1, 2]), Some(vec![2, 2]));
        assert_eq!(view(0, &[1 << 40], &[0]), None);
        assert_eq!(view(3, &[2], &[1]), None);
        assert_eq!(view(-1, &[2], &[1]), None);
        assert_eq!(view(0, &[2], &[1, 1]), None);
        assert_eq!(view(0, &[0, 1 << 40, 1 << 40], &[1, 1, 1]), None);
    }
}
