#!/bin/sh
# Installs larder to a scratch prefix, moves the prefix, and builds and runs a stranger's project against it:
#   install_test.sh cmake TARGET    with find_package and TARGET, e.g. larder::larder_shared
#   install_test.sh pkg-config      with the compiler alone
#   install_test.sh subdirectory ROOT   without installing: as a part of the stranger's own build, configured only
# From the environment: LARDER_BUILD (a build directory), LARDER_LIBDIR, SCRATCH, STRANGER, CXX, CXXFLAGS.
set -eu

rm -rf "$SCRATCH"
mkdir -p "$SCRATCH/store"
cmake --install "$LARDER_BUILD" --prefix "$SCRATCH/first" --component larder_library >"$SCRATCH/install.log"
mv "$SCRATCH/first" "$SCRATCH/prefix"

case $1 in
  cmake)
    cmake -S "$STRANGER" -B "$SCRATCH/build" -G Ninja -DCMAKE_PREFIX_PATH="$SCRATCH/prefix" \
      -DSTRANGER_LIBRARY="$2" -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_CXX_FLAGS="$CXXFLAGS" -DCMAKE_BUILD_TYPE=Debug
    cmake --build "$SCRATCH/build"
    app=$SCRATCH/build/app
    ;;
  pkg-config)
    PKG_CONFIG_PATH=$SCRATCH/prefix/$LARDER_LIBDIR/pkgconfig
    export PKG_CONFIG_PATH
    app=$SCRATCH/app
    # shellcheck disable=SC2046,SC2086  # flags are lists of words
    "$CXX" -std=c++20 $CXXFLAGS "$STRANGER/main.cpp" -o "$app" $(pkg-config --cflags --libs larder) \
      -Wl,-rpath,"$(pkg-config --variable=libdir larder)"
    ;;
  subdirectory)
    cmake -S "$STRANGER" -B "$SCRATCH/build" -G Ninja -DSTRANGER_SOURCE_OF_LARDER="$2" -DCMAKE_CXX_COMPILER="$CXX"
    exit
    ;;
  *)
    echo "unknown way: $1" >&2
    exit 2
    ;;
esac
"$app" "$SCRATCH/store"
