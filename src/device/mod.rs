//! Which device, chosen at run time among those that were compiled in.
//!
//! What touches burn's constructors of devices, the deprecated ones of LibTorch among them, is here
//! and nowhere else.

mod backend;
mod quietly;

use crate::error::Error;
use backend::{ALL, Backend};
use burn::tensor::{Device, FloatDType, Tensor};
use quietly::quietly;
use std::fmt;
use std::str::FromStr;

/// A device by name.
///
/// | name | hardware | feature |
/// |---|---|---|
/// | `flex` | CPU, pure Rust | `flex` |
/// | `libtorch`, `libtorch:cuda:0`, `libtorch:mps` | CPU, NVIDIA, Apple through LibTorch; `tch` is another name | `tch` |
/// | `wgpu`, `vulkan`, `metal`, `webgpu` | a GPU, the best one | of the same name |
/// | `wgpu:discrete:0`, `wgpu:integrated:0`, `wgpu:virtual:0`, `wgpu:cpu`, and so on for the others | a certain adapter | of the same name |
/// | `cuda`, `cuda:1` | NVIDIA | `cuda` |
/// | `rocm`, `rocm:1` | AMD | `rocm` |
/// | `cpu` | CPU through LLVM | `cpu` |
///
/// ```
/// use burn_kto::prelude::*;
/// let choice: DeviceChoice = "cuda:1".parse().unwrap();
/// assert_eq!(choice.to_string(), "cuda:1");
/// let error = "tpu".parse::<DeviceChoice>().unwrap_err().to_string();
/// assert!(error.starts_with("device must be one of flex, libtorch, wgpu"));
/// # #[cfg(feature = "flex")]
/// let device = "flex".parse::<DeviceChoice>().unwrap().open().unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceChoice {
    backend: Backend,
    part: Part,
}

/// Which part of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    /// The backend's own choice.
    Any,
    Index(usize),
    Discrete(usize),
    Integrated(usize),
    Virtual(usize),
    Cpu,
    Cuda(usize),
    Mps,
}

impl DeviceChoice {
    /// Those that were compiled in, without picking a part of the machine.
    pub fn compiled() -> Vec<Self> {
        let compiled = ALL.into_iter().filter(|backend| backend.kind().is_some());
        compiled.map(Self::any).collect()
    }

    /// The device, after it has computed something.
    ///
    /// Where burn panics on a device that is not there, its panic becomes the error: for that
    /// moment the process has a silent panic hook.
    ///
    /// # Errors
    ///
    /// If the backend was not compiled in, naming the feature; or if the device is not there or
    /// does not work, naming what to install.
    pub fn open(self) -> Result<Device, Error> {
        let Some(kind) = self.backend.kind() else {
            let feature = self.backend.feature();
            return Err(Error::Device {
                message: format!(
                    "{self} is not compiled in: build with --features {feature}; compiled in: {}",
                    listed(&Self::compiled())
                ),
            });
        };
        let missing = |why: String| Error::Device {
            message: format!("{self} is not there: {why}; {}", self.backend.remedy()),
        };
        let found = quietly(|| Device::enumerate(kind).len());
        let found = found.map_err(|panic| missing(panic.clone()))?;
        // LibTorch and flex list nothing of the machine: the first operation shows what is there.
        if found == 0 && !matches!(self.backend, Backend::Flex | Backend::LibTorch) {
            return Err(missing("no such device was found".into()));
        }
        if let Part::Index(index) = self.part
            && index >= found
        {
            return Err(missing(format!("{found} found, counted from 0")));
        }
        let device = quietly(|| self.build()).map_err(missing)?;
        let works = quietly(|| {
            let two = Tensor::<1>::ones([1], &device) + 1.0;
            two.into_scalar::<f32>()
        });
        match works {
            Ok(2.0) => Ok(device),
            Ok(other) => Err(missing(format!("it computed 1 + 1 = {other}"))),
            Err(why) => Err(missing(why)),
        }
    }

    fn any(backend: Backend) -> Self {
        Self {
            backend,
            part: Part::Any,
        }
    }

    /// Lazy where burn is.
    fn build(self) -> Device {
        #[cfg(feature = "wgpu")]
        let adapter = || {
            use burn::tensor::DeviceKind;
            match self.part {
                Part::Discrete(index) => DeviceKind::DiscreteGpu(index),
                Part::Integrated(index) => DeviceKind::IntegratedGpu(index),
                Part::Virtual(index) => DeviceKind::VirtualGpu(index),
                Part::Cpu => DeviceKind::Cpu,
                _ => DeviceKind::DefaultDevice,
            }
        };
        #[cfg(any(feature = "cuda", feature = "rocm"))]
        let index = match self.part {
            Part::Index(index) => index,
            _ => 0,
        };
        match self.backend {
            #[cfg(feature = "flex")]
            Backend::Flex => Device::flex(),
            #[cfg(feature = "tch")]
            #[allow(deprecated)] // by burn 0.22; the feature goes when burn's does
            Backend::LibTorch => match self.part {
                Part::Cuda(index) => Device::libtorch_cuda(index),
                Part::Mps => Device::libtorch_mps(),
                _ => Device::libtorch(),
            },
            #[cfg(feature = "wgpu")]
            Backend::Wgpu => Device::wgpu(adapter()),
            #[cfg(feature = "vulkan")]
            Backend::Vulkan => Device::vulkan(adapter()),
            #[cfg(feature = "metal")]
            Backend::Metal => Device::metal(adapter()),
            #[cfg(feature = "webgpu")]
            Backend::WebGpu => Device::webgpu(adapter()),
            #[cfg(feature = "cuda")]
            Backend::Cuda => Device::cuda(index),
            #[cfg(feature = "rocm")]
            Backend::Rocm => Device::rocm(index),
            #[cfg(feature = "cpu")]
            Backend::Cpu => Device::cpu(),
            #[allow(unreachable_patterns)] // with every feature on
            other => unreachable!("{} was checked to be compiled in", other.name()),
        }
    }
}

impl Default for DeviceChoice {
    /// `flex` if it was compiled in, else the first that was; `flex` where nothing was.
    fn default() -> Self {
        let compiled = Self::compiled();
        compiled
            .first()
            .copied()
            .unwrap_or(Self::any(Backend::Flex))
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.backend.name())?;
        match self.part {
            Part::Any => Ok(()),
            Part::Index(index) => write!(f, ":{index}"),
            Part::Discrete(index) => write!(f, ":discrete:{index}"),
            Part::Integrated(index) => write!(f, ":integrated:{index}"),
            Part::Virtual(index) => write!(f, ":virtual:{index}"),
            Part::Cpu => f.write_str(":cpu"),
            Part::Cuda(index) => write!(f, ":cuda:{index}"),
            Part::Mps => f.write_str(":mps"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let lower = text.trim().to_ascii_lowercase();
        let parts: Vec<&str> = lower.split(':').collect();
        let name = match parts[0] {
            "tch" => "libtorch",
            name => name,
        };
        let wrong = |reason: String| Error::Device {
            message: format!("{reason}, got {text:?}"),
        };
        let Some(backend) = ALL.into_iter().find(|backend| backend.name() == name) else {
            let names = ALL.map(Backend::name).join(", ");
            return Err(wrong(format!("device must be one of {names}")));
        };
        let indexed = |index: &str| index.parse::<usize>().ok();
        let of_gpu = matches!(
            backend,
            Backend::Wgpu | Backend::Vulkan | Backend::Metal | Backend::WebGpu
        );
        let part = match (backend, &parts[1..]) {
            (_, []) => Some(Part::Any),
            (Backend::Cuda | Backend::Rocm, [index]) => indexed(index).map(Part::Index),
            (Backend::LibTorch, ["cpu"]) => Some(Part::Any),
            (Backend::LibTorch, ["cuda"]) => Some(Part::Cuda(0)),
            (Backend::LibTorch, ["cuda", index]) => indexed(index).map(Part::Cuda),
            (Backend::LibTorch, ["mps"]) => Some(Part::Mps),
            (_, ["cpu"]) if of_gpu => Some(Part::Cpu),
            (_, ["discrete", index]) if of_gpu => indexed(index).map(Part::Discrete),
            (_, ["integrated", index]) if of_gpu => indexed(index).map(Part::Integrated),
            (_, ["virtual", index]) if of_gpu => indexed(index).map(Part::Virtual),
            _ => None,
        };
        let part = part.ok_or_else(|| {
            wrong(match backend {
                Backend::Cuda | Backend::Rocm => format!("{name} takes a number, as {name}:0"),
                Backend::LibTorch => "libtorch takes cuda:0 or mps".into(),
                _ if of_gpu => format!("{name} takes discrete:0, integrated:0, virtual:0 or cpu"),
                _ => format!("{name} takes nothing behind it"),
            })
        })?;
        Ok(Self { backend, part })
    }
}

/// Refuses a float type that the device cannot compute with: some then answer with NaN and no word.
///
/// # Errors
///
/// If `device` does not support `dtype`.
pub fn check_dtype(device: &Device, dtype: FloatDType) -> Result<(), Error> {
    if device.supports_dtype(dtype) {
        return Ok(());
    }
    Err(Error::Device {
        message: format!("{device:?} does not compute with {dtype:?}"),
    })
}

fn listed(choices: &[DeviceChoice]) -> String {
    match choices {
        [] => "none".into(),
        choices => {
            let names: Vec<String> = choices.iter().map(DeviceChoice::to_string).collect();
            names.join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for name in [
            "flex",
            "libtorch",
            "libtorch:cuda:1",
            "libtorch:mps",
            "wgpu",
            "wgpu:discrete:1",
            "wgpu:cpu",
            "vulkan:integrated:0",
            "metal",
            "webgpu:virtual:2",
            "cuda",
            "cuda:3",
            "rocm:0",
            "cpu",
        ] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        let other = |text: &str| text.parse::<DeviceChoice>().unwrap().to_string();
        assert_eq!(other(" TCH "), "libtorch");
        assert_eq!(other("libtorch:cpu"), "libtorch");
    }

    #[test]
    fn nonsense_is_one_clear_line() {
        let error = |text: &str| text.parse::<DeviceChoice>().unwrap_err().to_string();
        let names = "flex, libtorch, wgpu, vulkan, metal, webgpu, cuda, rocm, cpu";
        assert_eq!(
            error("gpu"),
            format!("device must be one of {names}, got \"gpu\"")
        );
        assert_eq!(
            error("cuda:x"),
            "cuda takes a number, as cuda:0, got \"cuda:x\""
        );
        assert_eq!(
            error("flex:0"),
            "flex takes nothing behind it, got \"flex:0\""
        );
        assert!(error("wgpu:0").starts_with("wgpu takes discrete:0"));
        assert!(error("cuda:1:2").contains("takes a number"));
        assert!(error("").contains("must be one of"));
    }

    #[test]
    fn what_is_compiled_in_opens_and_what_is_not_names_its_feature() {
        for backend in ALL {
            let choice = DeviceChoice::any(backend);
            if backend.kind().is_none() {
                let error = choice.open().unwrap_err().to_string();
                let wanted = format!("build with --features {}", backend.feature());
                assert!(error.contains(&wanted), "{error}");
            }
        }
        #[cfg(feature = "flex")]
        {
            let device = DeviceChoice::default().open().unwrap();
            assert_eq!(device, Device::flex());
            assert!(check_dtype(&device, FloatDType::F64).is_ok());
            let error = check_dtype(&device, FloatDType::Flex32)
                .unwrap_err()
                .to_string();
            assert!(error.contains("does not compute with Flex32"), "{error}");
        }
    }
}
