-- Which chat a raw message belongs to. It refuses more than core.messages does, never less about these fields.
local TWO, TAIL = '[\194-\223][\128-\191]', '[\128-\191]'
local SEQUENCES = {
  TWO,
  '\224[\160-\191]' .. TAIL, '[\225-\236\238\239]' .. TAIL .. TAIL, '\237[\128-\159]' .. TAIL,
  '\240[\144-\191]' .. TAIL .. TAIL, '[\241-\243]' .. TAIL .. TAIL .. TAIL, '\244[\128-\143]' .. TAIL .. TAIL,
}

local function is_utf8(text)
  if not string.find(text, '[\128-\255]') then return true end
  for _, sequence in ipairs(SEQUENCES) do text = string.gsub(text, sequence, '.') end
  return not string.find(text, '[\128-\255]')
end

local function is_id(value)
  return type(value) == 'string' and value ~= '' and #value <= 2048
    and not string.find(value, '%z') and is_utf8(value)
end

-- An id of another form would be made up anew at each reading: it must be written down once.
local function is_uuid(value)
  return type(value) == 'string' and #value == 36 and string.find(value, '^[%x-]+$')
end

-- The account's part of the member; nil when it is no account name.
local function account_part(account)
  if account == nil or account == cjson.null or account == 'default' then return '' end
  if type(account) ~= 'string' or #account > 32 then return nil end
  return string.find(account, '^[a-z0-9][a-z0-9_-]*$') and account .. '@'
end

-- What our own producers write begins like this (model_dump_json keeps the order of the fields). Matching it
-- costs a fifth of parsing; the rest of the message is parsed by the worker, as every message is.
local TO_SEND = '^{"id":"[%x-]+","channel":"([a-z]+)","account":"([a-z0-9_-]+)","external_chat_id":"([^"\\%c]+)",.*}$'
local ARRIVED = '^{"channel":"([a-z]+)","account":"([a-z0-9_-]+)","event":"([a-z_]+)","external_user_id":"[^"\\%c]+",'
  .. '"external_chat_id":"([^"\\%c]+)","external_message_id":"[^"\\%c]+","text":"([/\\]?).*}$'

-- channel, account, chat id, event, text, still unchecked; nothing when there is no object to read.
-- Parsed is also what may be a command (JSON may write a slash as \/) and what would be dropped: typing.
local function fields_of(raw)
  local channel, account, chat, event, slash
  if RULES.needs_id then
    channel, account, chat = string.match(raw, TO_SEND)
  else
    channel, account, event, chat, slash = string.match(raw, ARRIVED)
  end
  if channel and (slash or '') == '' and event ~= 'typing' then return channel, account, chat, event, '' end
  local read, message = pcall(cjson.decode, raw)
  if not read or type(message) ~= 'table' then return nil end
  if RULES.needs_id and not is_uuid(message.id) then return nil end
  return message.channel, message.account, message.external_chat_id, message.event, message.text
end

-- Why a message closes its chat at once, or 'typing', or nil; core.closing.Closing.why says the same.
local function mark_of(event, text)
  if RULES.needs_id then return nil end
  if event == 'typing' then return event end
  if RULES.closing.events[event] then return RULES.closing.events[event] end
  local said = event == nil or event == cjson.null or event == '' or event == 'message'
  local command = said and type(text) == 'string' and string.match(text, '^/([%a\208\209][%w_\128-\255]*)')
  if not command then return nil end
  return RULES.closing.commands[string.lower(command)] or RULES.closing.commands['*']
end

-- "{channel}:{chat part}" as core.chats.member_name builds it, and the mark of the message; nil when the
-- message must be looked at.
local function member_of(raw)
  if #raw > RULES.max_bytes then return nil end
  local channel, account, chat, event, text = fields_of(raw)
  if type(channel) ~= 'string' or not RULES.channels[channel] then return nil end
  local part = account_part(account)
  if not part or not is_id(chat) then return nil end
  return channel .. ':' .. part .. chat, mark_of(event, text)
end
