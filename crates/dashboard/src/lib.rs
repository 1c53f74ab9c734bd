//! Pages that people watch: runs by stage, releases and what allowed them, images and what is in them.
