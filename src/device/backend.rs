//! The backends of burn, by name, and what was compiled in.

use burn::tensor::DeviceType;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Backend {
    Flex,
    LibTorch,
    Wgpu,
    Vulkan,
    Metal,
    WebGpu,
    Cuda,
    Rocm,
    Cpu,
}

pub(super) const ALL: [Backend; 9] = [
    Backend::Flex,
    Backend::LibTorch,
    Backend::Wgpu,
    Backend::Vulkan,
    Backend::Metal,
    Backend::WebGpu,
    Backend::Cuda,
    Backend::Rocm,
    Backend::Cpu,
];

impl Backend {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::LibTorch => "libtorch",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::WebGpu => "webgpu",
            Self::Cuda => "cuda",
            Self::Rocm => "rocm",
            Self::Cpu => "cpu",
        }
    }

    pub(super) fn feature(self) -> &'static str {
        match self {
            Self::LibTorch => "tch",
            other => other.name(),
        }
    }

    /// What lists its devices, if it was compiled in.
    pub(super) fn kind(self) -> Option<DeviceType> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Some(DeviceType::Flex),
            #[cfg(feature = "tch")]
            Self::LibTorch => Some(DeviceType::LibTorch),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Some(DeviceType::Wgpu),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Some(DeviceType::Vulkan),
            #[cfg(feature = "metal")]
            Self::Metal => Some(DeviceType::Metal),
            #[cfg(feature = "webgpu")]
            Self::WebGpu => Some(DeviceType::WebGpu),
            #[cfg(feature = "cuda")]
            Self::Cuda => Some(DeviceType::Cuda),
            #[cfg(feature = "rocm")]
            Self::Rocm => Some(DeviceType::Rocm),
            #[cfg(feature = "cpu")]
            Self::Cpu => Some(DeviceType::Cpu),
            #[allow(unreachable_patterns)] // with every feature on
            _ => None,
        }
    }

    /// What to do where there is none.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Flex | Self::Cpu => "this should not happen on a CPU",
            Self::LibTorch => "is LIBTORCH set, and does it hold the libraries?",
            Self::Wgpu | Self::Vulkan => {
                "install a Vulkan driver (mesa-vulkan-drivers brings one that runs on the CPU)"
            }
            Self::Metal => "Metal needs Apple hardware",
            Self::WebGpu => "WebGPU needs a browser",
            Self::Cuda => "install NVIDIA's driver and the CUDA toolkit",
            Self::Rocm => "install AMD's driver and ROCm",
        }
    }
}
