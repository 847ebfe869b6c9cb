//! Puts the applet onto Trussed, the system that it is written for, in memory.
//!
//! Trussed hands each request to the first of its backends that takes it; which there are, and which of
//! their requests are no part of its core, is what all of this says.

use piv_authenticator::{Authenticator, Options};
use trussed::backend::{Backend, BackendId};
use trussed::platform::Platform;
use trussed::serde_extensions::{ExtensionDispatch, ExtensionId, ExtensionImpl};
use trussed::service::ServiceResources;
use trussed::types::Context;
use trussed::virt::{self, StoreConfig};
use trussed_auth::AuthExtension;
use trussed_auth_backend::{AuthBackend, AuthContext, FilesystemLayout};
use trussed_chunked::ChunkedExtension;
use trussed_core::api::{Reply, Request, reply, request};
use trussed_core::types::{Bytes, Location};
use trussed_core::{CryptoClient as _, Error, syscall};
use trussed_hpke::HpkeExtension;
use trussed_staging::{StagingBackend, StagingContext};
use trussed_wrap_key_to_file::WrapKeyToFileExtension;

/// The applet, where it runs.
pub type Applet<'a> = Authenticator<virt::Client<'a, Backends>>;

/// Runs `body` with the applet of one card.
pub fn with_applet(serial: u32, body: impl FnOnce(Applet<'_>)) {
    let key = Bytes::try_from(&b"of a stand-in"[..]).expect("it is short");
    let backends = Backends {
        auth: AuthBackend::with_hw_key(Location::Internal, key, FilesystemLayout::V0),
        staging: StagingBackend::new(),
    };
    virt::with_platform(StoreConfig::ram(), |platform| {
        platform.run_client_with_backends("piv", backends, ORDER, |mut client| {
            // Its randomness starts from the same seed in all cards, which would make the same keys.
            for _ in 0..=serial % 1009 {
                syscall!(client.random_bytes(16));
            }
            body(Authenticator::new(client, Options::default()));
        });
    });
}

const ORDER: &[BackendId<Which>] =
    &[BackendId::Custom(Which::Staging), BackendId::Custom(Which::Auth), BackendId::Core];

#[derive(Debug, Clone, Copy)]
pub enum Which {
    Auth,
    Staging,
}

#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub enum Extension {
    Auth = 0,
    Chunked = 1,
    Hpke = 2,
    WrapKeyToFile = 3,
}

impl From<Extension> for u8 {
    fn from(extension: Extension) -> Self {
        extension as Self
    }
}

impl TryFrom<u8> for Extension {
    type Error = Error;

    fn try_from(number: u8) -> Result<Self, Error> {
        let all = [Self::Auth, Self::Chunked, Self::Hpke, Self::WrapKeyToFile];
        all.get(usize::from(number)).copied().ok_or(Error::InternalError)
    }
}

/// PINs by one backend; long files, wrapped keys and HPKE by another.
pub struct Backends {
    auth: AuthBackend,
    staging: StagingBackend,
}

#[derive(Default)]
pub struct Contexts {
    auth: AuthContext,
    staging: StagingContext,
}

impl ExtensionId<AuthExtension> for Backends {
    type Id = Extension;
    const ID: Extension = Extension::Auth;
}

impl ExtensionId<ChunkedExtension> for Backends {
    type Id = Extension;
    const ID: Extension = Extension::Chunked;
}

impl ExtensionId<HpkeExtension> for Backends {
    type Id = Extension;
    const ID: Extension = Extension::Hpke;
}

impl ExtensionId<WrapKeyToFileExtension> for Backends {
    type Id = Extension;
    const ID: Extension = Extension::WrapKeyToFile;
}

impl ExtensionDispatch for Backends {
    type BackendId = Which;
    type Context = Contexts;
    type ExtensionId = Extension;

    fn core_request<P: Platform>(
        &mut self,
        backend: &Which,
        context: &mut Context<Contexts>,
        request: &Request,
        resources: &mut ServiceResources<P>,
    ) -> Result<Reply, Error> {
        let Context { core, backends, .. } = context;
        match backend {
            Which::Auth => self.auth.request(core, &mut backends.auth, request, resources),
            Which::Staging => self.staging.request(core, &mut backends.staging, request, resources),
        }
    }

    fn extension_request<P: Platform>(
        &mut self,
        backend: &Which,
        extension: &Extension,
        context: &mut Context<Contexts>,
        request: &request::SerdeExtension,
        resources: &mut ServiceResources<P>,
    ) -> Result<reply::SerdeExtension, Error> {
        let Context { core, backends, .. } = context;
        match (backend, extension) {
            (Which::Auth, Extension::Auth) => {
                self.auth.extension_request_serialized(core, &mut backends.auth, request, resources)
            }
            (Which::Staging, Extension::Chunked) => {
                ExtensionImpl::<ChunkedExtension>::extension_request_serialized(
                    &mut self.staging,
                    core,
                    &mut backends.staging,
                    request,
                    resources,
                )
            }
            (Which::Staging, Extension::Hpke) => {
                ExtensionImpl::<HpkeExtension>::extension_request_serialized(
                    &mut self.staging,
                    core,
                    &mut backends.staging,
                    request,
                    resources,
                )
            }
            (Which::Staging, Extension::WrapKeyToFile) => {
                ExtensionImpl::<WrapKeyToFileExtension>::extension_request_serialized(
                    &mut self.staging,
                    core,
                    &mut backends.staging,
                    request,
                    resources,
                )
            }
            _ => Err(Error::RequestNotAvailable),
        }
    }
}
