#!/bin/sh
# Puts together what an image of one role has, under a directory, and its empty directories for volumes beside it:
# assemble-image.sh coordinator|holder IMAGE STATE
# Runs in the build stage, where /build has the sources and all packages. Every file gets SOURCE_DATE_EPOCH as its time.
set -eu
role=$1
image=$2
state=$3
# Direct dependencies that a role has no use for; their own dependencies go with them. ECharts draws the demo's report.
case $role in
  coordinator) unused='@duckdb/node-api @tensorflow/tfjs-backend-cpu @tensorflow/tfjs-backend-wasm @tensorflow/tfjs-core echarts' ;;
  holder) unused='@aws-sdk/client-s3 @electric-sql/pglite pg echarts' ;;
  *) echo "assemble-image.sh: no role $role" >&2; exit 2 ;;
esac

app=$image/opt/sluice
mkdir -p "$app" "$image/usr/local/bin" "$image/usr/lib" "$image/etc/ssl/certs" "$image/tmp" "$state/var/lib/sluice" "$state/run/sluice"
chmod 1777 "$image/tmp"
chmod 700 "$state/var/lib/sluice"
# For small volumes by which one service hands a secret to another: invites, the database's password.
chmod 750 "$state/run/sluice"

cp -r package.json package-lock.json proto src nodes "$app/"
cd "$app"
cp -r /build/node_modules .
for name in $unused; do npm pkg delete "dependencies.$name"; done
npm pkg delete devDependencies optionalDependencies scripts
npm prune --ignore-scripts --no-audit --no-fund --no-update-notifier
npm sbom --sbom-format cyclonedx --sbom-type application >"$image/opt/sbom.cdx.json"
# Written anew with a serial number of its content and the epoch's time: the same bytes for the same packages.
node -e '
  const { readFileSync, writeFileSync } = require("fs")
  const [, file] = process.argv
  const sbom = JSON.parse(readFileSync(file, "utf8"))
  sbom.metadata.timestamp = new Date(process.env.SOURCE_DATE_EPOCH * 1000).toISOString()
  const hex = require("crypto").hash("sha256", JSON.stringify(sbom.components))
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)]
  sbom.serialNumber = `urn:uuid:${parts.join("-")}`
  writeFileSync(file, `${JSON.stringify(sbom, null, 2)}\n`)
' "$image/opt/sbom.cdx.json"
node -e '
  const { components } = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"))
  const license = ({ license, expression }) => expression ?? license?.id ?? license?.name
  for (const { name, version, licenses = [] } of components)
    console.log(`${name} ${version}: ${licenses.map(license).join(", ") || "not declared"}`)
' "$image/opt/sbom.cdx.json" | sort >"$image/opt/licenses.txt"

# What only compilers, debuggers and readers use. Licence files stay.
find node_modules \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -iname 'readme*' -o -iname 'changelog*' \) -type f -delete
rm -rf node_modules/.package-lock.json node_modules/.bin

cp /usr/local/bin/node "$image/usr/local/bin/node"
# The dynamic loader and the libraries of node and of the native modules, as the loader itself finds them.
native=$(find node_modules -name '*.node' -o -name '*.so')
ldd /usr/local/bin/node $native 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*ld-[^ ]*\) .*/\1/p' |
  sort -u | grep -v node_modules | while read -r library; do
    mkdir -p "$image$(dirname "$library")"
    cp -L "$library" "$image$library"
  done
cp /etc/ssl/certs/ca-certificates.crt "$image/etc/ssl/certs/"
printf 'root:x:0:0::/:\nsluice:x:10001:10001::/var/lib/sluice:\n' >"$image/etc/passwd"
printf 'root:x:0:\nsluice:x:10001:\n' >"$image/etc/group"
printf 'hosts: files dns\n' >"$image/etc/nsswitch.conf"
find "$image" "$state" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
