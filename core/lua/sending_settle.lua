-- The send ARGV[2] with the fingerprint ARGV[1] is decided in the hash KEYS[1]; its message has the id ARGV[3],
-- '' when nothing was sent. When no other send of this fingerprint is open, the own messages that are still
-- noted came from none of ours. ARGV[4] = '1' where the fingerprint tells too little: they are an operator's and
-- go to the queue KEYS[2] after all. -> how many did
local open, note = 'open:' .. ARGV[1] .. ':', 'echo:' .. ARGV[1] .. ':'

redis.call('HDEL', KEYS[1], open .. ARGV[2])
if ARGV[3] ~= '' then redis.call('HDEL', KEYS[1], note .. ARGV[3]) end

local notes, payloads = {}, {}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, #open) == open then return 0 end
  if string.sub(fields[i], 1, #note) == note then
    notes[#notes + 1] = fields[i]
    payloads[#payloads + 1] = fields[i + 1]
  end
end
for i, field in ipairs(notes) do
  if ARGV[4] == '1' then redis.call('RPUSH', KEYS[2], payloads[i]) end -- before the note goes: nothing is lost
  redis.call('HDEL', KEYS[1], field)
end
return ARGV[4] == '1' and #notes or 0
