# Libraries that the distribution has; what each is for stands in docs/DEPENDENCIES.md.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(ICU REQUIRED COMPONENTS uc i18n)
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)

set(FINSTILL_BASE_LIBS fmt::fmt nlohmann_json::nlohmann_json yaml-cpp OpenSSL::Crypto Threads::Threads)
set(FINSTILL_TEXT_LIBS ICU::uc ICU::i18n PkgConfig::SENTENCEPIECE)
