# Stand-in for the library veil, as far as scripts on a server use it: the collection of secrets in a file.
# What is in the file, and why, is said in secrets_file.py of the stand-in's other half.
require "base64"
require "json"
require "openssl"
require "securerandom"
require "tempfile"
require "zlib"

module Veil
  class CredentialCollection
    class ChefSecretsFile
      NONCE = 16
      ROUNDS = 1000

      def self.from_file(path, _options = {})
        new(path)
      end

      def initialize(path)
        @path = path
        @document = JSON.parse(File.read(path))
        packed = Base64.strict_decode64(@document["veil"]["credentials"])
        @credentials = JSON.parse(Zlib::Inflate.inflate(whiten(packed[NONCE..], packed[0, NONCE])))
      end

      def exist?(group, name = nil)
        name ? @credentials.fetch(group, {}).key?(name) : @credentials.key?(group)
      end

      def get(group, name)
        raise "no secret #{name} in group #{group}" unless exist?(group, name)

        @credentials[group][name]["value"]
      end

      # Without `force`, what is there stays; without a value, one is derived.
      def add(group, name, value: nil, length: 128, frozen: false, force: false)
        return if exist?(group, name) && !force

        entry = { "type" => "Veil::Credential", "name" => name, "group" => group, "version" => 0 }
        entry["frozen"] = true if frozen
        entry["value"] = value || derived(group, name, 0, length)
        entry["length"] = entry["value"].length
        (@credentials[group] ||= {})[name] = entry
      end

      def delete(group, name)
        @credentials.fetch(group, {}).delete(name)
      end

      # Nothing happens to one that is frozen.
      def rotate(group, name)
        entry = @credentials.fetch(group, {})[name]
        return false if entry.nil? || entry["frozen"]

        entry["version"] += 1
        entry["value"] = derived(group, name, entry["version"], entry["length"])
        true
      end

      def credentials_for_export
        @credentials.transform_values { |names| names.transform_values { |entry| entry["value"] } }
      end
      alias legacy_credentials_hash credentials_for_export

      def save
        nonce = SecureRandom.random_bytes(NONCE)
        packed = nonce + whiten(Zlib::Deflate.deflate(JSON.generate(@credentials), 9), nonce)
        @document["veil"]["credentials"] = Base64.strict_encode64(packed)
        there = File.stat(@path)
        Tempfile.create("veil") do |file|
          file.write(JSON.pretty_generate(@document) + "\n")
          file.close
          File.chmod(0o600, file.path)
          File.chown(there.uid, there.gid, file.path)
          system("mv", file.path, @path, exception: true)
          File.write(file.path, "")
        end
      end

      private

      def derived(group, name, version, length)
        secret = @document["veil"]["hasher"]["secret"]
        salt = "#{group}#{name}#{version}"
        OpenSSL::KDF.pbkdf2_hmac(secret, salt: salt, iterations: ROUNDS, length: 64, hash: "SHA512").unpack1("H*")[0, length]
      end

      def whiten(data, nonce)
        data.bytes.each_with_index.map { |byte, at| byte ^ nonce.getbyte(at % nonce.bytesize) }.pack("C*")
      end
    end
  end
end
